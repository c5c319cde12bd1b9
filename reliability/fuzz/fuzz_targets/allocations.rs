//! Whatever a program asks of its heap, and however sampling changes meanwhile: blocks go back as they were taken, and totals
//! are exact. See `heap.rs`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use unkai_core::Config;
use unkai_fuzz::checking::Checking;
use unkai_fuzz::heap::play;
use unkai_global::UnkaiGlobalAlloc;

static HEAP: UnkaiGlobalAlloc<Checking> =
    UnkaiGlobalAlloc::with_config(Checking::new(), Config::new().seed(1));

fuzz_target!(|input: &[u8]| play(&HEAP, None, input));

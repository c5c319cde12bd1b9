//! As `allocations`, where requests are refused at the process's limit: exactly those beyond it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use unkai_core::Config;
use unkai_fuzz::checking::Checking;
use unkai_fuzz::heap::play;
use unkai_global::UnkaiGlobalAlloc;

const LIMIT: u64 = 4 << 20;

static HEAP: UnkaiGlobalAlloc<Checking> = UnkaiGlobalAlloc::with_config(
    Checking::new(),
    Config::new().seed(1).limit(LIMIT).refuse_at_limit(true),
);

fuzz_target!(|input: &[u8]| play(&HEAP, Some(LIMIT), input));

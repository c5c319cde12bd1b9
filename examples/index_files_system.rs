//! The example `index_files` over the system's allocator.

use std::alloc::System;
use std::process::ExitCode;

use unkai::{Config, UnkaiGlobalAlloc};

#[path = "index_files/program.rs"]
mod program;

/// The default is a sample every 512 KiB; small inputs show more with one every 64 KiB.
#[global_allocator]
static HEAP: UnkaiGlobalAlloc<System> =
    UnkaiGlobalAlloc::with_config(System, Config::new().sampling_interval(program::INTERVAL));

fn main() -> ExitCode {
    program::main(&HEAP)
}

//! The example `index_files` over jemalloc.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;
use unkai::{Config, UnkaiGlobalAlloc};

#[path = "index_files/program.rs"]
mod program;

/// The default is a sample every 512 KiB; small inputs show more with one every 64 KiB.
#[global_allocator]
static HEAP: UnkaiGlobalAlloc<Jemalloc> =
    UnkaiGlobalAlloc::with_config(Jemalloc, Config::new().sampling_interval(program::INTERVAL));

fn main() -> ExitCode {
    program::main(&HEAP)
}

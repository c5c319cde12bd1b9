//! A program of some size over real files, with its heap profiled: a word index, over mimalloc.
//!
//! ```text
//! cargo run --release --example index_files -- --help
//! ```
//!
//! The line that turns the profiler on is below; what is asked of it at run time is in `index_files/session.rs`.

use std::process::ExitCode;

use mimalloc::MiMalloc;
use unkai::{Config, UnkaiGlobalAlloc};

#[path = "index_files/program.rs"]
mod program;

/// The default is a sample every 512 KiB; small inputs show more with one every 64 KiB.
#[global_allocator]
static HEAP: UnkaiGlobalAlloc<MiMalloc> =
    UnkaiGlobalAlloc::with_config(MiMalloc, Config::new().sampling_interval(program::INTERVAL));

fn main() -> ExitCode {
    program::main(&HEAP)
}

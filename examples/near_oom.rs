//! What held the memory of a program that was killed for taking too much of it? The dump from just before tells.
//!
//! ```text
//! cargo run --release --example near_oom --features watch,offline
//! ```
//!
//! It starts itself once more below a limit of 256 MiB: in a control group of its own if it may make one (as root, as in
//! many containers), so that the kernel kills it; else with a limited address space, so that it aborts when an allocation
//! fails. There it answers requests, and one function keeps what it should not. A rule writes a dump at 90 % of the limit. Then
//! the program that has survived reads that dump, and names the function.
//!
//! `--in control-group` or `--in address-space` says which; `--reports DIR` keeps the dump; `--keeps BYTES` is what the leak
//! keeps of each request; `--runs N` does it N times, and says how often there was a dump.
#![cfg_attr(feature = "nightly", feature(allocator_api))]

#[cfg(target_os = "linux")]
mod near_oom {
    pub(crate) mod limit;
    pub(crate) mod service;
    pub(crate) mod survivor;
}

use std::alloc::System;
use std::process::ExitCode;

use unkai::{Config, UnkaiGlobalAlloc};

/// Every 64 KiB a sample: a small program shows more by it than with the default of 512 KiB.
#[global_allocator]
static HEAP: UnkaiGlobalAlloc<System> =
    UnkaiGlobalAlloc::with_config(System, Config::new().sampling_interval(64 << 10));

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let outcome = match arguments.next() {
        Some(first) if first == near_oom::service::CHILD => near_oom::service::run(arguments),
        first => near_oom::survivor::run(first.into_iter().chain(arguments)),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("near_oom: {error}");
        ExitCode::FAILURE
    })
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("near_oom: dumps before out of memory are made on Linux only");
    ExitCode::FAILURE
}

//! Scenarios over jemalloc.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;
use unkai_global::{Config, UnkaiGlobalAlloc};
use unkai_scenarios::beneath::Beneath;
use unkai_scenarios::outer::Outer;

#[global_allocator]
static HEAP: Outer<UnkaiGlobalAlloc<Beneath<Jemalloc>>> = Outer::new(
    UnkaiGlobalAlloc::with_config(Beneath(Jemalloc), Config::new().seed(7)),
);

fn main() -> ExitCode {
    unkai_scenarios::run::main(&HEAP)
}

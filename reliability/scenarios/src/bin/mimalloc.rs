//! Scenarios over mimalloc.

use std::process::ExitCode;

use mimalloc::MiMalloc;
use unkai_global::{Config, UnkaiGlobalAlloc};
use unkai_scenarios::beneath::Beneath;
use unkai_scenarios::outer::Outer;

#[global_allocator]
static HEAP: Outer<UnkaiGlobalAlloc<Beneath<MiMalloc>>> = Outer::new(
    UnkaiGlobalAlloc::with_config(Beneath(MiMalloc), Config::new().seed(7)),
);

fn main() -> ExitCode {
    unkai_scenarios::run::main(&HEAP)
}

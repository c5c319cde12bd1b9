//! Scenarios over the system's allocator.

use std::process::ExitCode;

use std::alloc::System;
use unkai_global::{Config, UnkaiGlobalAlloc};
use unkai_scenarios::beneath::Beneath;
use unkai_scenarios::outer::Outer;

#[global_allocator]
static HEAP: Outer<UnkaiGlobalAlloc<Beneath<System>>> = Outer::new(UnkaiGlobalAlloc::with_config(
    Beneath(System),
    Config::new().seed(7),
));

fn main() -> ExitCode {
    unkai_scenarios::run::main(&HEAP)
}

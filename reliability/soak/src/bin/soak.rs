//! See `soak --help`.

use std::process::ExitCode;

use mimalloc::MiMalloc;
use unkai::{Config, UnkaiGlobalAlloc};
use unkai_soak::{Counted, Heap};

#[global_allocator]
static HEAP: Heap = Counted::new(UnkaiGlobalAlloc::with_config(MiMalloc, Config::new()));

fn main() -> ExitCode {
    unkai_soak::soak::main(&HEAP)
}

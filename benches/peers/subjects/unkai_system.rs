//! unkai over the system's allocator, with its defaults.

use std::alloc::System;

use unkai::{Config, UnkaiGlobalAlloc};

#[path = "proof/unkai.rs"]
mod proof;

#[global_allocator]
static HEAP: UnkaiGlobalAlloc<System> = UnkaiGlobalAlloc::with_config(System, Config::new());

fn main() {
    proof::serve(&HEAP)
}

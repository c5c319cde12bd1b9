//! unkai over the system's allocator, with its defaults.

use std::alloc::System;

use unkai::{Config, UnkaiGlobalAlloc};
use unkai_peers::child::serve;

#[path = "proof/unkai.rs"]
mod proof;

#[global_allocator]
static HEAP: UnkaiGlobalAlloc<System> = UnkaiGlobalAlloc::with_config(System, Config::new());

fn main() {
    serve(|| proof::of(&HEAP.snapshot()))
}

//! unkai over the system's allocator with every block sampled, and room for all of them.

use std::alloc::System;

use unkai::{Config, UnkaiGlobalAlloc};

#[path = "proof/unkai.rs"]
mod proof;

#[global_allocator]
static HEAP: UnkaiGlobalAlloc<System> = UnkaiGlobalAlloc::with_config(
    System,
    Config::new().sampling_interval(1).max_live_samples(1 << 23),
);

fn main() {
    proof::serve(&HEAP)
}

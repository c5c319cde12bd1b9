//! stats_alloc over the system's allocator, the only one that it wraps in a `static` on stable Rust: totals in atomics that
//! all threads share, no stacks.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use unkai_peers::child::serve;

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    serve(|| match HEAP.stats().allocations {
        0 => Err("it counted nothing".to_owned()),
        blocks => Ok(format!("{blocks} allocations counted")),
    })
}

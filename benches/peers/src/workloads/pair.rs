//! The same small block again and again: the shortest way through an allocator.

use std::time::Instant;

use super::{Run, block::Block};

pub(super) fn prepare() -> Run {
    let kept = leave_page_start();
    Box::new(move |pairs| {
        // Kept until the workload ends.
        let _ = &kept;
        let start = Instant::now();
        for _ in 0..pairs {
            Block::take(64).give_back();
        }
        start.elapsed()
    })
}

/// Takes blocks until the next one is not the first of a page. Only one block in 64 is, and jemalloc, where it is built with
/// its profiler, frees just that one by a longer way: the pair would measure this or not, by chance.
fn leave_page_start() -> Vec<Block> {
    let mut kept = Vec::with_capacity(8);
    loop {
        let next = Block::take(64);
        if !next.starts_page() {
            next.give_back();
            return kept;
        }
        kept.push(next);
    }
}

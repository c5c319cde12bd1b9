//! Ten thousand short-lived threads neither grow unkai's memory nor lose a byte.

mod support;

use std::alloc::System;

use support::outer::Outer;
use unkai::{Config, UnkaiGlobalAlloc};

#[global_allocator]
static HEAP: Outer<UnkaiGlobalAlloc<System>> = Outer::new(UnkaiGlobalAlloc::with_config(
    System,
    Config::new().sampling_interval(4 << 10).seed(5),
));

fn ten_at_once(round: u64) {
    std::thread::scope(|scope| {
        for n in 0..10 {
            scope.spawn(move || {
                let blocks: Vec<Vec<u8>> = (0..20).map(|size| vec![1; 100 * size + n]).collect();
                std::hint::black_box((round, blocks));
            });
        }
    });
}

#[test]
fn ten_thousand_threads_leave_nothing_behind() {
    (0..50).for_each(ten_at_once);
    let before = HEAP.inner.snapshot();
    (0..1000).for_each(ten_at_once);
    let after = HEAP.inner.snapshot();

    support::eventually("the totals agree", || {
        let usage = HEAP.inner.usage();
        (usage.allocated.bytes, usage.allocated.blocks) == HEAP.allocated()
            && (usage.freed.bytes, usage.freed.blocks) == HEAP.freed()
    });
    // A joined thread may still be ending when the next ones begin: a few more cells than threads at once, not more.
    let cells = after.own_memory.threads.entries;
    assert!(
        cells <= 60,
        "{cells} threads have cells, but ten run at once"
    );
    let tables = |snapshot: &unkai::Snapshot| {
        let own = snapshot.own_memory;
        own.stacks.entries + own.sites.entries
    };
    let grown = tables(&after) - tables(&before);
    assert!(
        grown < 200,
        "{grown} more entries in the tables for the same work"
    );
    assert!(
        after.own_memory.used_bytes() < 2 << 20,
        "{} bytes",
        after.own_memory.used_bytes()
    );
}

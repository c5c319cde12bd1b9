//! Ten thousand short-lived threads neither grow unkai's memory nor lose a byte.

mod support;

use std::alloc::System;
use std::hint::black_box;

use support::outer::Outer;
use unkai::{Config, UnkaiGlobalAlloc};

#[global_allocator]
static HEAP: Outer<UnkaiGlobalAlloc<System>> = Outer::new(UnkaiGlobalAlloc::with_config(
    System,
    Config::new().sample_every_block(),
));

fn ten_at_once(round: u64) {
    std::thread::scope(|scope| {
        for n in 0..10 {
            scope.spawn(move || {
                let blocks: Vec<Vec<u8>> = (0..20).map(|size| vec![1; 100 * size + n]).collect();
                black_box((round, blocks));
            });
        }
    });
}

#[inline(never)]
fn run(rounds: u64) -> unkai::Snapshot {
    (0..rounds).for_each(ten_at_once);
    HEAP.aside(UnkaiGlobalAlloc::snapshot)
}

#[test]
fn ten_thousand_threads_leave_nothing_behind() {
    // One call, in a loop of unknown length: at each, the call stacks are the same.
    let snapshots: Vec<_> = black_box(vec![50, 50, 1000]).into_iter().map(run).collect();
    let (before, after) = (&snapshots[1], &snapshots[2]);

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
    let grown = tables(after) - tables(before);
    // Every block is sampled, so the first rounds have shown nearly every call stack that there is.
    assert!(
        grown < 50,
        "{grown} more entries in the tables for the same work"
    );
    assert!(
        after.own_memory.used_bytes() < 2 << 20,
        "{} bytes",
        after.own_memory.used_bytes()
    );
}

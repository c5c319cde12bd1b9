//! The heap that a scenario runs on, whatever allocator is beneath.

use std::alloc::GlobalAlloc;
use std::any::type_name;
use std::hint::black_box;
use std::time::{Duration, Instant};

use unkai_global::{Sampling, Snapshot, Totals, UnkaiGlobalAlloc};

use crate::beneath::{self, Beneath};
use crate::outer::{self, Count, Outer};

/// The process's heap under unkai, and the independent count around it.
pub trait Heap: Sync {
    /// What unkai counts.
    fn usage(&self) -> Totals;
    /// A snapshot, made aside: neither count knows what it took.
    fn snapshot(&self) -> Snapshot;
    /// A snapshot, for work that is aside already.
    fn bare_snapshot(&self) -> Snapshot;
    /// Work that is not the program's: neither count knows what it allocates and frees again.
    fn aside(&self, work: &mut dyn FnMut());
    /// One sample in so many bytes.
    fn set_sampling_interval(&self, bytes: u64);
    /// The allocator beneath unkai. Nobody counts what it is asked for directly.
    fn beneath(&self) -> &dyn GlobalAlloc;
    /// What was allocated and freed, counted around unkai.
    fn counted(&self) -> [Count; 2];
    /// Requests that were made from within unkai.
    fn nested(&self) -> u64;
    /// Whether the allocator beneath lets a forked child start threads. mimalloc 3 takes a lock when a thread allocates first or
    /// ends, and leaves it taken in the child of a process where another thread was at that.
    fn children_may_start_threads(&self) -> bool;
}

impl<A: GlobalAlloc + Sync> Heap for Outer<UnkaiGlobalAlloc<Beneath<A>>> {
    fn usage(&self) -> Totals {
        self.inner.usage()
    }

    fn snapshot(&self) -> Snapshot {
        Outer::aside(self, UnkaiGlobalAlloc::snapshot)
    }

    fn bare_snapshot(&self) -> Snapshot {
        self.inner.snapshot()
    }

    fn aside(&self, work: &mut dyn FnMut()) {
        // One visit for both, so that both count the same as left behind.
        Outer::aside(self, |_| unkai_core::aside(work));
    }

    fn set_sampling_interval(&self, bytes: u64) {
        self.inner.set_sampling_interval(bytes);
    }

    fn beneath(&self) -> &dyn GlobalAlloc {
        self.inner.inner()
    }

    fn counted(&self) -> [Count; 2] {
        [self.allocated(), self.freed()]
    }

    fn nested(&self) -> u64 {
        Self::nested(self)
    }

    fn children_may_start_threads(&self) -> bool {
        !type_name::<A>().contains("MiMalloc")
    }
}

/// Checks that all totals agree to the byte with the independent count. Threads that were joined may still be ending, so it
/// looks again for up to ten seconds. Panics with both counts if they never agree.
pub fn totals_are_exact(heap: &dyn Heap, context: &str) {
    let start = Instant::now();
    loop {
        let counted = heap.counted();
        let usage = heap.usage();
        let told = [
            (usage.allocated.bytes, usage.allocated.blocks),
            (usage.freed.bytes, usage.freed.blocks),
        ];
        if told == counted && heap.counted() == counted {
            break;
        }
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{context}: unkai counts {told:?}, requested were {counted:?} (allocated and freed, bytes and blocks)"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(heap.nested(), 0, "{context}: unkai allocated within unkai");
}

/// How unkai's totals differ from the independent count: what a thread was doing at the moment of a fork may be in one and not in the
/// other, for ever. All four numbers, so that two such differences are equal only if all totals have moved alike.
///
/// Of a process with no other thread.
pub fn apart(heap: &dyn Heap) -> [u64; 4] {
    let usage = heap.usage();
    let [allocated, freed] = heap.counted();
    [
        usage.allocated.bytes.wrapping_sub(allocated.0),
        usage.allocated.blocks.wrapping_sub(allocated.1),
        usage.freed.bytes.wrapping_sub(freed.0),
        usage.freed.blocks.wrapping_sub(freed.1),
    ]
}

/// Waits until totals have moved alike since [`apart`] said `before`: a thread that was joined may still be ending, and hand over what
/// it counted. Of a process with no other thread; for ten seconds at most.
pub fn totals_have_moved_alike(heap: &dyn Heap, before: [u64; 4]) {
    let mut tries = 0;
    while apart(heap) != before {
        tries += 1;
        assert!(tries < 10_000, "{:?}, not {before:?}", apart(heap));
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Sets the interval of sampling, and has it hold on this thread, which learns of it within 64 KiB.
pub fn sample_from_here_on(heap: &dyn Heap, interval: u64) {
    heap.set_sampling_interval(interval);
    drop(black_box(vec![0_u8; 1 << 17]));
}

/// Whether this thread is inside unkai: in a request, and not in the allocator beneath. A handler of signals may ask.
pub fn is_inside_unkai() -> bool {
    outer::is_inside() && !beneath::is_at_work()
}

/// Whether every block is a sample.
pub fn every_block_is_a_sample(heap: &dyn Heap) -> bool {
    heap.snapshot().sampling.mode == Sampling::EveryBlock
}

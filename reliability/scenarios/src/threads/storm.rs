//! Ten thousand threads, many of them at once, each of which leaves blocks for others to free.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Barrier, Mutex};
use std::thread;

use crate::heap::{Heap, totals_are_exact};
use crate::random::Random;

const THREADS: usize = 10_000;
const AT_ONCE: usize = 256;

/// What each thread leaves behind for the one that has its place next.
static LEFT: Mutex<Vec<Vec<Vec<u8>>>> = Mutex::new(Vec::new());
static STARTED: AtomicUsize = AtomicUsize::new(0);

pub(crate) fn play(heap: &'static dyn Heap) {
    wave();
    while STARTED.load(SeqCst) < THREADS / 2 {
        wave();
    }
    totals_are_exact(heap, "half-way through the storm");
    let half_way = own_memory(heap);
    while STARTED.load(SeqCst) < THREADS {
        wave();
    }
    LEFT.lock().expect("no thread panicked").clear();
    totals_are_exact(heap, "after the storm");
    let after = own_memory(heap);
    assert!(
        after.0 <= AT_ONCE as u64 + OTHERS,
        "counters for {} threads, where {AT_ONCE} lived at once",
        after.0
    );
    // All threads did the same before: what the second half has added is what sampling had not met by then.
    assert!(
        after.1 <= half_way.1 + half_way.1 / 4,
        "own memory went from {} to {} bytes",
        half_way.1,
        after.1
    );
}

/// The main thread; and one that has given its place to the next may still be ending, with each place.
const OTHERS: u64 = 1 + AT_ONCE as u64;

/// As many threads as may be, all alive at one moment.
fn wave() {
    let all_there = Barrier::new(AT_ONCE);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let number = STARTED.fetch_add(1, SeqCst);
                let mut random = Random::new(number as u64);
                let mut blocks: Vec<Vec<u8>> = (0..20)
                    .map(|_| black_box(vec![1; random.size(20_000)]))
                    .collect();
                let others = LEFT.lock().expect("no thread panicked").pop();
                all_there.wait();
                drop(others);
                blocks.truncate(10);
                LEFT.lock().expect("no thread panicked").push(blocks);
            });
        }
    });
}

/// Threads with counters, and bytes in all.
fn own_memory(heap: &'static dyn Heap) -> (u64, u64) {
    let own = heap.snapshot().own_memory;
    (own.threads.entries, own.used_bytes())
}

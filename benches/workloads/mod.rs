//! What the benches do to a heap: work that is the same for every heap, from the same seed.
//!
//! A workload is a function of a heap and a number of operations, and returns the time that these took. Setting up and
//! tearing down is not in that time.

pub(crate) mod heaps;

use std::sync::Barrier;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use heaps::{Block, Heap};

/// A pattern of use of a heap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// What is counted as one operation.
    pub(crate) operation: &'static str,
    /// Operations of one measurement: some milliseconds of work.
    pub(crate) slice: u64,
    pub(crate) run: fn(&Heap, u64) -> Duration,
}

pub(crate) const WORKLOADS: [Workload; 9] = [
    Workload {
        name: "hot pair of 64 B",
        operation: "alloc + free",
        slice: 200_000,
        run: hot_pair,
    },
    Workload {
        name: "zeroed pair of 256 B",
        operation: "alloc + free",
        slice: 100_000,
        run: zeroed_pair,
    },
    Workload {
        name: "mixed sizes, 8 to 1024 B",
        operation: "alloc + free",
        slice: 100_000,
        run: mixed_sizes,
    },
    Workload {
        name: "100,000 live blocks, replaced at random",
        operation: "alloc + free",
        slice: 100_000,
        run: many_slots,
    },
    Workload {
        name: "growth to 256 elements",
        operation: "vector",
        slice: 10_000,
        run: |heap, vectors| grow(heap, vectors, 256),
    },
    Workload {
        name: "growth to 1 M elements",
        operation: "vector",
        slice: 4,
        run: |heap, vectors| grow(heap, vectors, 1 << 20),
    },
    Workload {
        name: "mixed sizes, 1 thread of its own",
        operation: "alloc + free",
        slice: 100_000,
        run: |heap, operations| on_threads(1, heap, operations),
    },
    Workload {
        name: "mixed sizes, 2 threads",
        operation: "alloc + free",
        slice: 100_000,
        run: |heap, operations| on_threads(2, heap, operations),
    },
    Workload {
        name: "freed by another thread",
        operation: "alloc + free",
        slice: 200_000,
        run: hand_over,
    },
];

/// The same small block again and again.
pub(crate) fn hot_pair(heap: &Heap, pairs: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..pairs {
        heap.give_back(heap.take(64));
    }
    start.elapsed()
}

/// The same small block, made a little larger before it goes.
pub(crate) fn resized_pair(heap: &Heap, pairs: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..pairs {
        heap.give_back(heap.grow(heap.take(56), 64));
    }
    start.elapsed()
}

/// The same, asked for as zeros.
pub(crate) fn zeroed_pair(heap: &Heap, pairs: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..pairs {
        heap.give_back(heap.take_zeroed(256));
    }
    start.elapsed()
}

/// 512 blocks are live; the oldest goes, one of another size comes.
fn mixed_sizes(heap: &Heap, pairs: u64) -> Duration {
    let mut random = Random::new();
    let mut window: Vec<Block> = (0..512).map(|_| heap.take(random.mixed_size())).collect();
    let start = Instant::now();
    for at in (0..512).cycle().take(pairs as usize) {
        let new = heap.take(random.mixed_size());
        heap.give_back(std::mem::replace(&mut window[at], new));
    }
    let time = start.elapsed();
    window.into_iter().for_each(|block| heap.give_back(block));
    time
}

/// Many blocks of 16 to 271 bytes are live, and go in any order.
fn many_slots(heap: &Heap, pairs: u64) -> Duration {
    let mut random = Random::new();
    let mut slots: Vec<Block> = (0..100_000)
        .map(|_| heap.take(16 + random.below(256)))
        .collect();
    let start = Instant::now();
    for _ in 0..pairs {
        let at = random.below(slots.len());
        let new = heap.take(16 + random.below(256));
        heap.give_back(std::mem::replace(&mut slots[at], new));
    }
    let time = start.elapsed();
    slots.into_iter().for_each(|block| heap.give_back(block));
    time
}

/// A vector of 8-byte elements that doubles from 4 elements on, as `Vec::push` makes it.
fn grow(heap: &Heap, vectors: u64, elements: usize) -> Duration {
    let start = Instant::now();
    for _ in 0..vectors {
        let mut capacity = 4;
        let mut block = heap.take(capacity * 8);
        while capacity < elements {
            capacity *= 2;
            block = heap.grow(block, capacity * 8);
        }
        heap.give_back(block);
    }
    start.elapsed()
}

/// Mixed sizes on so many threads at once; the time of the slowest.
fn on_threads(threads: usize, heap: &Heap, pairs: u64) -> Duration {
    // What a thread's first block costs is not the point here.
    let prepare = || heap.give_back(heap.take(64));
    at_once(threads, prepare, || mixed_sizes(heap, pairs))
}

/// The time of `work` on so many threads at once, each of which has called `prepare` before: that of the slowest.
pub(crate) fn at_once(
    threads: usize,
    prepare: impl Fn() + Sync,
    work: impl Fn() -> Duration + Sync,
) -> Duration {
    let start = Barrier::new(threads);
    thread::scope(|scope| {
        let work = || {
            prepare();
            start.wait();
            work()
        };
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let times = running
            .into_iter()
            .map(|thread| thread.join().expect("workloads do not panic"));
        times.max().expect("there is a thread")
    })
}

/// One thread takes blocks, another one gives them back; the time until the last one is back.
fn hand_over(heap: &Heap, blocks: u64) -> Duration {
    const BATCH: usize = 500;
    let (sender, receiver) = sync_channel::<Vec<Block>>(4);
    let (empties, used) = sync_channel::<Vec<Block>>(8);
    thread::scope(|scope| {
        let consumer = scope.spawn(move || {
            for mut batch in receiver {
                batch.drain(..).for_each(|block| heap.give_back(block));
                // The producer does not wait for the last ones.
                drop(empties.try_send(batch));
            }
        });
        let mut random = Random::new();
        let mut left = blocks as usize;
        let start = Instant::now();
        while left > 0 {
            let mut batch = used
                .try_recv()
                .unwrap_or_else(|_| Vec::with_capacity(BATCH));
            let count = BATCH.min(left);
            batch.extend((0..count).map(|_| heap.take(random.mixed_size())));
            left -= count;
            sender.send(batch).expect("the consumer takes all");
        }
        drop(sender);
        consumer.join().expect("workloads do not panic");
        start.elapsed()
    })
}

/// Cheap random numbers (xorshift), always the same ones.
struct Random(u64);

impl Random {
    fn new() -> Self {
        Self(0x9E37_79B9_7F4A_7C15)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 32) as usize * bound) >> 32
    }

    /// 8 to 1024 bytes, small sizes more often than large ones.
    fn mixed_size(&mut self) -> usize {
        let log = 3 + self.below(8);
        8 + self.below(1 << log).min(1016)
    }
}

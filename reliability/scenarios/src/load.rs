//! Threads that allocate as hard as they can, while a scenario does something to the process.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crate::random::Random;

/// Blocks on their way from one thread to another, which frees them.
static HANDED_OVER: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// So many blocks lie there at most.
const ON_THE_WAY: usize = 500;

/// Allocates, frees, grows and shrinks blocks of all sizes, some of which other threads free.
pub(crate) fn churn(seed: u64, operations: u64) {
    let mut random = Random::new(seed);
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for _ in 0..operations {
        step(&mut random, &mut kept);
    }
}

fn step(random: &mut Random, kept: &mut Vec<Vec<u8>>) {
    match random.below(8) {
        0 if !kept.is_empty() => {
            let index = random.below(kept.len() as u64) as usize;
            let more = random.size(3000);
            kept[index].reserve_exact(more);
        }
        1 if !kept.is_empty() => {
            let index = random.below(kept.len() as u64) as usize;
            kept[index].shrink_to_fit();
        }
        2 => {
            let mut on_the_way = HANDED_OVER.lock().unwrap_or_else(PoisonError::into_inner);
            if on_the_way.len() < ON_THE_WAY {
                on_the_way.extend(kept.pop());
            } else {
                on_the_way.truncate(ON_THE_WAY / 2);
            }
        }
        3 | 4 if !kept.is_empty() => {
            let index = random.below(kept.len() as u64) as usize;
            drop(kept.swap_remove(index));
        }
        // Beyond 64 KiB now and then: blocks that are never marked.
        _ if kept.len() < 100 => kept.push(black_box(vec![1; random.size(100_000)])),
        _ => kept.clear(),
    }
}

/// Threads under load, until it is stopped.
#[derive(Debug)]
pub(crate) struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    at_work: AtomicU32,
}

impl Load {
    /// Starts so many threads; returns once all are at work.
    pub(crate) fn start(threads: u32, seed: u64) -> Self {
        let shared = Arc::new(Shared::default());
        let work = |number: u32| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let mut random = Random::new(seed.wrapping_add(u64::from(number)));
                let mut kept = Vec::new();
                shared.at_work.fetch_add(1, SeqCst);
                while !shared.stop.load(SeqCst) {
                    step(&mut random, &mut kept);
                }
            })
        };
        let threads_of_load = (0..threads).map(work).collect();
        while shared.at_work.load(SeqCst) < threads {
            thread::yield_now();
        }
        Self {
            shared,
            threads: threads_of_load,
        }
    }

    /// Stops them, and waits until they have ended.
    pub(crate) fn stop(self) {
        self.shared.stop.store(true, SeqCst);
        for thread in self.threads {
            thread.join().expect("a thread under load panicked");
        }
    }
}

//! Many blocks are live, of sizes as programs have them, and go in any order: each free meets memory that the processor
//! has not seen for long.

use std::mem::replace;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use super::{Run, block::Block};
use crate::cores::{allowed, bind_to_one_of};
use crate::random::Random;

const LIVE: usize = 100_000;

/// All slots on one thread.
pub(super) fn prepare_alone() -> Run {
    let mut slots = Slots::new(1, LIVE);
    Box::new(move |operations| slots.replace(operations))
}

/// Half of them on each of two threads; the time of the slower one.
pub(super) fn prepare_two_threads() -> Run {
    let start = Arc::new(Barrier::new(2));
    let threads = [1, 2].map(|seed| Worker::start(seed, LIVE / 2, Arc::clone(&start)));
    Box::new(move |operations| {
        for thread in &threads {
            thread
                .orders
                .send(operations)
                .expect("workers wait for orders");
        }
        let times = threads.each_ref().map(|thread| thread.times.recv());
        times
            .into_iter()
            .map(|time| time.expect("workers answer"))
            .max()
            .expect("there are two")
    })
}

struct Slots {
    random: Random,
    blocks: Vec<Block>,
}

impl Slots {
    fn new(seed: u64, live: usize) -> Self {
        let mut random = Random::new(seed);
        let blocks = (0..live)
            .map(|_| Block::take(random.program_size()))
            .collect();
        Self { random, blocks }
    }

    fn replace(&mut self, operations: u64) -> Duration {
        let start = Instant::now();
        for _ in 0..operations {
            let at = self.random.below(self.blocks.len());
            let new = Block::take(self.random.program_size());
            replace(&mut self.blocks[at], new).give_back();
        }
        start.elapsed()
    }
}

/// A thread with slots of its own, which lives as long as the workload.
struct Worker {
    orders: Sender<u64>,
    times: Receiver<Duration>,
}

impl Worker {
    fn start(seed: u64, live: usize, start: Arc<Barrier>) -> Self {
        let (orders, ordered) = channel();
        let (answer, times) = channel();
        thread::spawn(move || {
            bind_to_one_of(&allowed(), seed as usize);
            let mut slots = Slots::new(seed, live);
            for operations in ordered {
                start.wait();
                if answer.send(slots.replace(operations)).is_err() {
                    break;
                }
            }
        });
        Self { orders, times }
    }
}

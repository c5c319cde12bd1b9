//! Changes the sampling in each round, as an operator would who looks for something.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::Heap;
use crate::gate::Work;
use crate::latency::Moments;

/// The default of unkai's, to which each round comes back.
pub(crate) const USUAL_INTERVAL: u64 = 512 << 10;

pub(crate) struct Control {
    heap: &'static Heap,
    moments: Arc<Moments>,
    begun: Instant,
    is_done: bool,
    rounds: u32,
}

impl Control {
    pub(crate) fn new(heap: &'static Heap, moments: Arc<Moments>) -> Self {
        Self {
            heap,
            moments,
            begun: Instant::now(),
            is_done: true,
            rounds: 0,
        }
    }
}

impl Work for Control {
    fn begin(&mut self, _is_quiet: bool) {
        self.begun = Instant::now();
        self.is_done = false;
        self.rounds += 1;
    }

    fn step(&mut self) {
        if self.is_done || self.begun.elapsed() < Duration::from_secs(5) {
            return thread::sleep(Duration::from_millis(20));
        }
        self.is_done = true;
        let heap = &self.heap.inner;
        let sample = |interval, milliseconds| {
            heap.set_sampling_interval(interval);
            thread::sleep(Duration::from_millis(milliseconds));
        };
        self.moments.of_dense_sampling(|| {
            sample(16 << 10, 700);
            // At first for longer, so that call stacks which are rare are known before anything is measured.
            sample(1, if self.rounds <= 2 { 3000 } else { 300 });
            heap.pause();
            sample(64 << 10, 100);
            heap.resume();
            sample(64 << 10, 200);
            sample(0, 100);
            // Each thread follows after 64 KiB.
            sample(USUAL_INTERVAL, 200);
        });
    }

    fn rest(&mut self) {}
}

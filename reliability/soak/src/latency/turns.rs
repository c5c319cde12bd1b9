//! The thread that measures: bare, through unkai, and in the process without unkai, in turn and in a new order each time.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::probe::{Probe, Slice};
use super::record::Moments;
use super::summary::Rounds;
use crate::Heap;
use crate::bare::Apart;
use crate::gate::Work;
use crate::plant::MaybeSlow;
use crate::random::Random;

/// What was measured, in all three ways.
pub(crate) struct Measured {
    pub(crate) bare: Rounds,
    pub(crate) unkai: Rounds,
    pub(crate) apart: Apart,
}

pub(crate) struct Turns {
    heap: &'static Heap,
    probe: Probe,
    random: Random,
    moments: Arc<Moments>,
    measured: Arc<Mutex<Option<Measured>>>,
    /// Ticks by which each allocation through unkai is slower, on purpose.
    slower: u64,
}

/// How long each measures at a time: shorter than a time slice of the scheduler, so that all meet the same machine.
const SLICE: Duration = Duration::from_millis(4);
/// Between two turns, for the others.
const PAUSE: Duration = Duration::from_millis(25);

impl Turns {
    pub(crate) fn new(
        heap: &'static Heap,
        random: Random,
        moments: Arc<Moments>,
        measured: Arc<Mutex<Option<Measured>>>,
        slower: u64,
    ) -> Self {
        Self {
            heap,
            probe: Probe::new(),
            random,
            moments,
            measured,
            slower,
        }
    }
}

impl Work for Turns {
    fn step(&mut self) {
        let mut measured = self.measured.lock().expect("nobody panics");
        let measured = measured.as_mut().expect("the run is not over");
        let slice = Slice {
            lasts: SLICE,
            seed: self.random.next(),
        };
        let first = self.random.below(3);
        for turn in 0..3 {
            match (first + turn) % 3 {
                0 => {
                    let heap = self.heap.inner.inner();
                    let record = &mut measured.bare.record;
                    // These never were unkai's.
                    let _ = self.probe.slice(heap, slice, &self.moments, record);
                }
                1 => {
                    let record = &mut measured.unkai.record;
                    let heap = &self.heap.inner;
                    // Directly: the independent count is no part of what is measured.
                    let asked = if self.slower == 0 {
                        self.probe.slice(heap, slice, &self.moments, record)
                    } else {
                        let ticks = self.slower;
                        let slow = MaybeSlow { inner: heap, ticks };
                        self.probe.slice(&slow, slice, &self.moments, record)
                    };
                    self.heap.add_what_came_and_went(asked);
                }
                _ => measured.apart.slice(slice, self.moments.now() as usize),
            }
        }
        thread::sleep(PAUSE);
    }

    fn rest(&mut self) {}
}

impl Measured {
    pub(crate) fn end_round(&mut self, counts: bool) {
        if counts {
            self.bare.end_round();
            self.unkai.end_round();
        } else {
            self.bare.forget_round();
            self.unkai.forget_round();
        }
        self.apart.end_round(counts);
    }
}

//! One thread takes blocks, another gives them back; they meet at a bounded ring. The time until the last one is back.

use std::array::from_fn;
use std::hint::spin_loop;
use std::mem::swap;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use super::{Run, block::Block};
use crate::cores::{allowed, bind_to_one_of};
use crate::random::Random;

/// Blocks that are handed over at once: the meeting itself must not be what is measured.
const BATCH: usize = 256;
/// Batches that the ring holds.
const BATCHES: usize = 8;

pub(super) fn prepare() -> Run {
    let ring = Arc::new(Ring::default());
    let cores = allowed();
    bind_to_one_of(&cores, 0);
    let (orders, ordered) = channel::<u64>();
    let (answer, answers) = channel();
    thread::spawn({
        let ring = Arc::clone(&ring);
        move || {
            bind_to_one_of(&cores, 1);
            let mut batch = Vec::with_capacity(BATCH);
            for batches in ordered {
                for number in 0..batches {
                    ring.take_out(number, &mut batch);
                    batch.drain(..).for_each(Block::give_back);
                }
                if answer.send(()).is_err() {
                    break;
                }
            }
        }
    });
    let mut random = Random::new(3);
    let mut batch = Vec::with_capacity(BATCH);
    Box::new(move |blocks| {
        // Always whole batches; the time is made that of as many as were asked for.
        let batches = blocks.div_ceil(BATCH as u64).max(1);
        orders.send(batches).expect("the consumer waits for orders");
        let start = Instant::now();
        for number in 0..batches {
            batch.extend((0..BATCH).map(|_| Block::take(random.mixed_size())));
            ring.put_in(number, &mut batch);
        }
        answers.recv().expect("the consumer answers");
        start
            .elapsed()
            .mul_f64(blocks as f64 / (batches * BATCH as u64) as f64)
    })
}

/// A place holds a full batch or an empty one, and is locked only while they are exchanged.
struct Ring {
    places: [Mutex<Vec<Block>>; BATCHES],
}

impl Default for Ring {
    fn default() -> Self {
        Self {
            places: from_fn(|_| Mutex::new(Vec::with_capacity(BATCH))),
        }
    }
}

impl Ring {
    /// Puts a full batch in the place of this number, for an empty one.
    fn put_in(&self, number: u64, batch: &mut Vec<Block>) {
        self.exchange(number, batch, Vec::is_empty);
    }

    /// Takes a full batch out of the place of this number, for an empty one.
    fn take_out(&self, number: u64, batch: &mut Vec<Block>) {
        self.exchange(number, batch, |place| !place.is_empty());
    }

    /// Waits until the place is as it must be, then exchanges what it holds for `batch`.
    fn exchange(&self, number: u64, batch: &mut Vec<Block>, ready: fn(&Vec<Block>) -> bool) {
        let place = &self.places[number as usize % BATCHES];
        for attempt in 1_u32.. {
            let mut place = place.lock().expect("workloads do not panic");
            if ready(&place) {
                return swap(&mut *place, batch);
            }
            drop(place);
            // The other thread may be waiting for this one's core.
            if attempt.is_multiple_of(256) {
                thread::yield_now();
            } else {
                spin_loop();
            }
        }
    }
}

//! Large buffers that grow by `realloc`, shrink, and are asked for zeroed.

use std::hint::black_box;
use std::time::Duration;

use super::pause;
use crate::gate::Work;
use crate::random::Random;

pub(super) struct Buffers {
    random: Random,
    growing: Vec<Vec<u64>>,
}

/// Bytes at which a buffer is dropped.
const LARGEST: usize = 4 << 20;

impl Buffers {
    pub(super) fn new(random: Random) -> Self {
        Self {
            random,
            growing: vec![Vec::new(); 3],
        }
    }
}

impl Work for Buffers {
    fn step(&mut self) {
        let buffer = &mut self.growing[self.random.below(3)];
        let more = self.random.size(32 << 10);
        // Doubles now and then, in place or not.
        buffer.extend((0..more as u64).map(black_box));
        match self.random.below(40) {
            0 => buffer.shrink_to_fit(),
            1 => buffer.truncate(buffer.len() / 3),
            2 => drop(black_box(vec![0_u8; self.random.size(1 << 20)])),
            _ => {}
        }
        if buffer.len() * 8 > LARGEST {
            *buffer = Vec::new();
        }
        pause(Duration::from_millis(2));
    }

    fn rest(&mut self) {
        // Not `fill`: that keeps what the old ones have.
        self.growing
            .iter_mut()
            .for_each(|buffer| *buffer = Vec::new());
    }
}

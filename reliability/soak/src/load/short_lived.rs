//! Small blocks that live for a moment: requests, strings, boxes.

use std::hint::black_box;
use std::time::Duration;

use super::pause;
use crate::gate::Work;
use crate::random::Random;

pub(super) struct ShortLived {
    random: Random,
    /// The youngest; an older one makes room.
    ring: Vec<Option<Box<[u8]>>>,
}

impl ShortLived {
    pub(super) fn new(random: Random) -> Self {
        let ring = (0..256).map(|_| None).collect();
        Self { random, ring }
    }

    /// From different depths, so that there are different call stacks.
    #[inline(never)]
    fn allocate(&mut self, depth: usize) -> Box<[u8]> {
        if depth > 0 {
            return black_box(self.allocate(depth - 1));
        }
        let size = self.random.size(1024);
        black_box(vec![depth as u8; size].into_boxed_slice())
    }
}

impl Work for ShortLived {
    fn step(&mut self) {
        for _ in 0..2000 {
            let depth = self.random.below(24);
            let block = self.allocate(depth);
            let place = self.random.below(self.ring.len());
            self.ring[place] = Some(block);
            let name = format!("request {place} of {}", self.random.below(1000));
            black_box(name.to_uppercase());
        }
        pause(Duration::from_millis(4));
    }

    fn rest(&mut self) {
        self.ring.fill(None);
    }
}

//! 512 blocks are live; the oldest goes, one of another size comes.

use std::mem::replace;
use std::time::Instant;

use super::{Run, block::Block};
use crate::random::Random;

const LIVE: usize = 512;

pub(super) fn prepare() -> Run {
    let mut random = Random::new(1);
    let mut ring: Vec<Block> = (0..LIVE)
        .map(|_| Block::take(random.mixed_size()))
        .collect();
    let mut at = 0;
    Box::new(move |pairs| {
        let start = Instant::now();
        for _ in 0..pairs {
            let new = Block::take(random.mixed_size());
            replace(&mut ring[at], new).give_back();
            at = (at + 1) % LIVE;
        }
        start.elapsed()
    })
}

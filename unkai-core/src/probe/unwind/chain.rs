//! Call chains like those of real programs, for the tests and the bench of unwinding: many functions with frames of
//! sixteen sizes call one another through pointers, in an order that a seed decides.
//!
//! A recursive function would not do: all its frames share one return address, for which any cache is large enough.

use std::hint::black_box;

/// Calls `work` from within `links` functions; the same seed leads through the same ones.
#[inline(always)]
pub(super) fn call(seed: u64, links: u32, work: &mut dyn FnMut()) {
    let mut chain = Chain {
        random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
        left: links,
    };
    match chain.next() {
        Some(first) => {
            black_box(first(&mut chain, work));
        }
        None => work(),
    }
}

/// What is left of a chain.
#[derive(Debug)]
struct Chain {
    random: u64,
    left: u32,
}

type Link = fn(&mut Chain, &mut dyn FnMut()) -> u64;

impl Chain {
    #[inline(always)]
    fn next(&mut self) -> Option<Link> {
        self.left = self.left.checked_sub(1)?;
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        Some(LINKS[(self.random >> 32) as usize % LINKS.len()])
    }
}

/// One of many functions with a frame of about so many words.
#[inline(never)]
fn link<const WORDS: usize, const WHICH: usize>(chain: &mut Chain, work: &mut dyn FnMut()) -> u64 {
    let mut frame = [chain.random; WORDS];
    black_box(&mut frame);
    let result = match chain.next() {
        Some(next) => next(chain, work),
        None => {
            work();
            0
        }
    };
    // What is done with the result keeps the call from becoming a jump, and like functions from becoming one.
    black_box(result ^ WHICH as u64) ^ frame[0]
}

macro_rules! links {
    ($($words:literal)*) => {
        [$(
            link::<$words, 0>, link::<$words, 1>, link::<$words, 2>, link::<$words, 3>,
            link::<$words, 4>, link::<$words, 5>, link::<$words, 6>, link::<$words, 7>,
        )*]
    };
}

static LINKS: [Link; 128] = links!(2 3 4 5 6 8 9 11 12 14 17 20 25 30 40 64);

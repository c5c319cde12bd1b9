//! The tree of scopes against a model of it, by random numbers: see `scopes/model.rs`. The seed is printed.

#![expect(clippy::disallowed_macros, reason = "a test prints its seed")]

#[path = "scopes/model.rs"]
mod model;

use model::{Choose, Pair};

/// Xorshift, 64 bits.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }
}

impl Choose for Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

#[test]
fn every_answer_and_every_number_is_that_of_the_model() {
    let (mut granted, mut refused) = (0, 0);
    for seed in 1..=500 {
        println!("seed {seed}");
        let mut pair = Pair::new(Random::new(seed));
        for _ in 0..400 {
            pair.step();
        }
        granted += pair.granted;
        refused += pair.refused;
        pair.end();
    }
    println!("{granted} granted, {refused} refused");
    assert!(granted > 5_000 && refused > 1_000);
}

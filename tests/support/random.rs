//! Repeatable random numbers for tests (xorshift64*).

/// A generator; equal seeds give equal numbers.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator for `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// A size from 1 to `most`, small ones as often as large ones on a logarithmic scale.
    pub fn size(&mut self, most: usize) -> usize {
        let bits = self.below(u64::from(usize::BITS - most.leading_zeros()) + 1);
        (self.below(1 << bits) as usize + 1).min(most)
    }
}

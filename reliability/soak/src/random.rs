//! Repeatable random numbers (xorshift64*).

/// A generator; equal seeds give equal numbers.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    #[inline]
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `limit`.
    #[inline]
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.next()) * limit as u128) >> 64) as usize
    }

    /// A number from `least` up to below `limit`.
    #[inline]
    pub(crate) fn between(&mut self, least: usize, limit: usize) -> usize {
        least + self.below(limit - least)
    }

    /// From 1 to `most`, small numbers as often as large ones on a logarithmic scale.
    pub(crate) fn size(&mut self, most: usize) -> usize {
        let bits = self.below((usize::BITS - most.leading_zeros()) as usize + 1);
        (self.below(1 << bits) + 1).min(most)
    }
}

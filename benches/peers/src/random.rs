//! Cheap random numbers (xorshift), the same ones in every process.

/// A stream of numbers.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed ^ 0x9E37_79B9_7F4A_7C15)
    }

    /// A number below `bound`, which must fit in 32 bits.
    #[inline]
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 32) as usize * bound) >> 32
    }

    /// 8 to 1024 bytes, small sizes more often than large ones.
    #[inline]
    pub(crate) fn mixed_size(&mut self) -> usize {
        let log = 3 + self.below(8);
        8 + self.below(1 << log).min(1016)
    }

    /// Sizes as programs have them: most below 64 bytes, a few up to 4 KiB.
    #[inline]
    pub(crate) fn program_size(&mut self) -> usize {
        match self.below(100) {
            0..60 => 8 + self.below(56),
            60..85 => 64 + self.below(192),
            85..97 => 256 + self.below(768),
            _ => 1024 + self.below(3072),
        }
    }
}

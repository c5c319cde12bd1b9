//! Random numbers for tests: the same for the same seed.

/// Numbers below what each call asks for, by Marsaglia's xorshift. A seed of zero would give nothing else.
pub(crate) fn below(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut random = seed | 1;
    move |limit| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % limit
    }
}

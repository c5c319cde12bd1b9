//! A stock: bytes that a scope has drawn from the levels above it and not handed out, ready for the next charge.
//!
//! One word holds them together with the number of blocks, so that a charge and an uncharge are one atomic exchange each:
//!
//! ```text
//!   63                             29    28     27                 0
//!  ┌─────────────────────────────────┬────────┬─────────────────────┐
//!  │ blocks, wrapping                │ closed │ bytes in stock      │
//!  └─────────────────────────────────┴────────┴─────────────────────┘
//! ```
//!
//! Any thread may take the bytes out at any time: that is what keeps them from lying idle while another scope is refused.
//! A *closed* stock holds no bytes and accepts none: every charge and uncharge then goes through the levels, which are
//! exact. The blocks of one word mean nothing alone (a block may be freed on another thread, through another stock of
//! the same scope); their sum over a scope's stocks is exact below 2³⁵.
//!
//! Orderings: a change releases and a look at the bytes that matters acquires, so that who finds a stock empty also sees
//! what the threads that emptied it had given back elsewhere before.

use crate::sync::{AtomicU64, Ordering};

/// The most that a stock holds, in bytes.
pub(super) const CAPACITY: usize = if cfg!(loom) { 64 } else { 64 << 10 };

pub(super) const BYTES: u64 = (1 << 28) - 1;
const CLOSED: u64 = 1 << 28;
pub(super) const BLOCK: u64 = 1 << 29;

/// How a charge changes the number of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blocks {
    Same,
    One,
}

impl Blocks {
    #[inline]
    pub(super) fn one_if(yes: bool) -> Self {
        if yes { Self::One } else { Self::Same }
    }

    #[inline]
    pub(super) fn word(self) -> u64 {
        match self {
            Self::Same => 0,
            Self::One => BLOCK,
        }
    }
}

#[derive(Debug)]
pub(super) struct Stock(AtomicU64);

impl Stock {
    /// Empty and closed.
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(CLOSED))
    }

    /// Hands out `bytes`, if they are here and no other thread interferes.
    #[inline]
    pub(super) fn try_take(&self, bytes: usize, blocks: Blocks) -> bool {
        // Relaxed: the exchange looks again.
        let word = self.0.load(Ordering::Relaxed);
        (word & BYTES) as usize >= bytes
            && self.exchange(word, (word - bytes as u64).wrapping_add(blocks.word()))
    }

    /// Takes `bytes` back, if there is room for them and no other thread interferes.
    #[inline]
    pub(super) fn try_put(&self, bytes: usize, blocks: Blocks) -> bool {
        let word = self.0.load(Ordering::Relaxed);
        // A closed stock is over its capacity.
        let room = CAPACITY.saturating_sub((word & (BYTES | CLOSED)) as usize);
        room >= bytes && self.exchange(word, (word + bytes as u64).wrapping_sub(blocks.word()))
    }

    #[inline]
    fn exchange(&self, from: u64, to: u64) -> bool {
        self.0
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// Takes all bytes out; it stays open or closed as it was.
    pub(super) fn empty(&self) -> usize {
        // Most have nothing, and a look costs less than an exchange. Acquire, as the exchange.
        if self.bytes() == 0 {
            return 0;
        }
        (self.0.fetch_and(!BYTES, Ordering::AcqRel) & BYTES) as usize
    }

    /// Takes all bytes out and accepts no more.
    pub(super) fn close(&self) -> usize {
        self.0.fetch_or(CLOSED, Ordering::AcqRel);
        self.empty()
    }

    /// Accepts bytes again.
    pub(super) fn open(&self) {
        self.0.fetch_and(!CLOSED, Ordering::AcqRel);
    }

    /// Puts in as many of `bytes` as it accepts; returns the others.
    #[must_use = "what did not fit goes back to the levels"]
    pub(super) fn fill(&self, bytes: usize) -> usize {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let room = CAPACITY.saturating_sub((word & (BYTES | CLOSED)) as usize);
            let fitting = room.min(bytes);
            if fitting == 0 || self.exchange(word, word + fitting as u64) {
                return bytes - fitting;
            }
            word = self.0.load(Ordering::Relaxed);
        }
    }

    pub(super) fn add(&self, blocks: Blocks) {
        self.0.fetch_add(blocks.word(), Ordering::AcqRel);
    }

    /// Takes over the part of the number of blocks that stood in another word.
    pub(super) fn add_part(&self, word: u64) {
        self.0.fetch_add(word & !(BYTES | CLOSED), Ordering::AcqRel);
    }

    pub(super) fn remove(&self, blocks: Blocks) {
        self.0.fetch_sub(blocks.word(), Ordering::AcqRel);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.load(Ordering::Relaxed) & CLOSED != 0
    }

    /// The bytes in it.
    pub(super) fn bytes(&self) -> usize {
        (self.0.load(Ordering::Acquire) & BYTES) as usize
    }

    /// Its part of the number of blocks: to be summed with [`sum_of_blocks`].
    pub(super) fn blocks(&self) -> u64 {
        self.0.load(Ordering::Acquire) / BLOCK
    }
}

/// The number of blocks that the parts of several stocks make together.
pub(super) fn sum_of_blocks(parts: impl Iterator<Item = u64>) -> usize {
    let sum = parts.fold(0, u64::wrapping_add);
    (sum % (u64::MAX / BLOCK + 1)) as usize
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn open(bytes: usize) -> Stock {
        let stock = Stock::new();
        stock.open();
        assert_eq!(stock.fill(bytes), 0);
        stock
    }

    #[test]
    fn a_closed_stock_gives_and_takes_nothing() {
        let stock = Stock::new();
        assert!(!stock.try_take(1, Blocks::One));
        assert!(!stock.try_put(1, Blocks::One));
        assert_eq!(stock.fill(10), 10);
        assert_eq!((stock.bytes(), stock.blocks()), (0, 0));
    }

    #[test]
    fn it_hands_out_what_it_has_and_no_more() {
        let stock = open(100);
        assert!(stock.try_take(60, Blocks::One));
        assert!(!stock.try_take(41, Blocks::One));
        assert!(stock.try_take(40, Blocks::Same));
        assert_eq!((stock.bytes(), stock.blocks()), (0, 1));
        assert!(!stock.try_take(usize::MAX, Blocks::Same));
    }

    #[test]
    fn it_holds_its_capacity_and_no_more() {
        let stock = open(CAPACITY - 1);
        assert!(!stock.try_put(2, Blocks::Same));
        assert!(!stock.try_put(usize::MAX, Blocks::Same));
        assert!(stock.try_put(1, Blocks::Same));
        assert_eq!(stock.fill(7), 7);
        assert_eq!(stock.close(), CAPACITY);
        assert!(stock.is_closed());
    }

    #[test]
    fn blocks_may_leave_through_another_stock() {
        let (one, other) = (open(100), open(0));
        for _ in 0..3 {
            assert!(one.try_take(10, Blocks::One));
        }
        assert!(other.try_put(10, Blocks::One));
        other.remove(Blocks::One);
        let parts = [one.blocks(), other.blocks()];
        assert_eq!(sum_of_blocks(parts.into_iter()), 1);
        assert_eq!((one.bytes(), other.bytes()), (70, 10));
    }
}

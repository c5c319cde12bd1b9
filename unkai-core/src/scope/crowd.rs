//! Stocks to lend, for a scope that several threads charge at once: one for each of as many as the machine has processors.
//!
//! A scope begins with one stock to lend. When another thread goes on charging it while the first one is active, the
//! scope gets these, once and for all; from then on each thread turns to the same one of them.

use std::ptr::null_mut;
use std::sync::OnceLock;

use super::bias::Biased;
use super::thread::ThreadRecord;
use crate::sync::{AtomicPtr, Ordering};

/// The most of them in one scope.
const MOST: usize = 64;

#[derive(Debug)]
pub(super) struct Crowd {
    /// Null, or a leaked box that this owns. Set once. Their number is a power of two.
    stocks: AtomicPtr<Box<[Biased]>>,
}

impl Crowd {
    pub(super) fn new() -> Self {
        Self {
            stocks: AtomicPtr::new(null_mut()),
        }
    }

    /// The one for `me`, if there are any.
    #[inline]
    pub(super) fn of(&self, me: &ThreadRecord) -> Option<&Biased> {
        // Acquire pairs with the release in `gather`: they are complete.
        let stocks = self.stocks.load(Ordering::Acquire);
        // SAFETY: as in `stocks`.
        let stocks = unsafe { stocks.as_ref() }?;
        stocks.get(me.number() & (stocks.len() - 1))
    }

    #[inline]
    pub(super) fn stocks(&self) -> &[Biased] {
        // Acquire: as in `of`.
        let stocks = self.stocks.load(Ordering::Acquire);
        // SAFETY: null, or made from a box in `gather`, which lives as long as `self` and is never borrowed mutably.
        unsafe { stocks.as_ref() }.map_or(&[], |stocks| stocks)
    }

    /// Makes them, if there are none.
    #[cold]
    pub(super) fn gather(&self) {
        if !self.stocks.load(Ordering::Relaxed).is_null() {
            return;
        }
        let stocks = (0..processors()).map(|_| Biased::new()).collect();
        let stocks: *mut Box<[Biased]> = Box::into_raw(Box::new(stocks));
        let first =
            self.stocks
                .compare_exchange(null_mut(), stocks, Ordering::AcqRel, Ordering::Relaxed);
        if first.is_err() {
            // SAFETY: just made from a box, and shown to nobody.
            drop(unsafe { Box::from_raw(stocks) });
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        let stocks = self.stocks.load(Ordering::Relaxed);
        if !stocks.is_null() {
            // SAFETY: made from a box in `gather` and owned by this; borrows of it have ended with those of `self`.
            drop(unsafe { Box::from_raw(stocks) });
        }
    }
}

/// The number of processors, as a power of two; read once, since that may take a while.
pub(super) fn processors() -> usize {
    static PROCESSORS: OnceLock<usize> = OnceLock::new();
    *PROCESSORS.get_or_init(|| {
        let processors = std::thread::available_parallelism().map_or(1, |count| count.get());
        processors.next_power_of_two().min(MOST)
    })
}

//! Stocks to lend, for a scope that several threads charge at once: one for each of as many as the machine has processors.
//!
//! A scope begins with one stock to lend. When another thread goes on charging it while the first one is active, the
//! scope gets these, once and for all; from then on each thread turns to the same one of them.

use std::ptr::null_mut;

use super::bias::Biased;
use super::thread::ThreadRecord;
#[cfg(not(loom))]
use crate::sync::AtomicUsize;
use crate::sync::{AtomicPtr, Ordering, Shown};

/// The most of them in one scope.
const MOST: usize = 64;

#[derive(Debug)]
pub(super) struct Crowd {
    /// Null, or a leaked box that this owns. Set once. Their number is a power of two.
    stocks: AtomicPtr<Shown<Box<[Biased]>>>,
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
        let stocks = unsafe { stocks.as_ref() }?.get();
        stocks.get(me.number() & (stocks.len() - 1))
    }

    #[inline]
    pub(super) fn stocks(&self) -> &[Biased] {
        // Acquire: as in `of`.
        let stocks = self.stocks.load(Ordering::Acquire);
        // SAFETY: null, or made from a box in `gather`, which lives as long as `self` and is never borrowed mutably.
        unsafe { stocks.as_ref() }.map_or(&[], |stocks| stocks.get())
    }

    /// Makes them, if there are none.
    #[cold]
    pub(super) fn gather(&self) {
        if !self.stocks.load(Ordering::Relaxed).is_null() {
            return;
        }
        let stocks = (0..processors()).map(|_| Biased::new()).collect();
        let stocks: *mut Shown<Box<[Biased]>> = Box::into_raw(Box::new(Shown::new(stocks)));
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

/// The number of processors, as a power of two; kept once it was read, since that may take a while. Nobody waits for who reads it: that
/// may be a thread that a forked child does not have.
#[cfg(not(loom))]
pub(super) fn processors() -> usize {
    /// 0 before it was read.
    static PROCESSORS: AtomicUsize = AtomicUsize::new(0);
    match PROCESSORS.load(Ordering::Relaxed) {
        0 => {
            let count = std::thread::available_parallelism().map_or(1, |count| count.get());
            let processors = count.next_power_of_two().min(MOST);
            PROCESSORS.store(processors, Ordering::Relaxed);
            processors
        }
        processors => processors,
    }
}

/// A model's, whatever machine it is checked on.
#[cfg(loom)]
pub(super) fn processors() -> usize {
    2
}

#[cfg(all(test, loom))]
mod models {
    use super::*;
    use loom::sync::Arc;

    /// Two threads make them at once, and look at them; and a third that only looks.
    #[test]
    fn they_are_made_once_and_complete_and_are_dropped_with_their_owner() {
        loom::model(|| {
            let crowd = Arc::new(Crowd::new());
            let gather = |crowd: &Crowd| {
                crowd.gather();
                crowd.stocks().as_ptr().addr()
            };
            let other = Arc::clone(&crowd);
            let gathers = loom::thread::spawn(move || gather(&other));
            let other = Arc::clone(&crowd);
            let looks = loom::thread::spawn(move || {
                let me = ThreadRecord::new(3);
                other.of(&me).map(|stock| std::ptr::from_ref(stock).addr())
            });
            let here = gather(&crowd);
            let seen = looks.join().unwrap();
            assert_eq!(gathers.join().unwrap(), here);
            assert!(seen.is_none_or(|seen| seen == here + size_of::<Biased>()));
        });
    }
}

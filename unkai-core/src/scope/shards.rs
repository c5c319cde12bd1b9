//! More stocks for a scope that several threads charge at once: one for each, on a cache line of its own.
//!
//! A scope begins with one stock. When threads get in each other's way there again and again, it gets as many as the
//! machine has processors, once and for all; each thread then keeps to one of them.

use std::cell::Cell;
use std::ptr::null_mut;
use std::sync::OnceLock;

use super::stock::Stock;
use crate::sync::{AtomicPtr, AtomicUsize, Ordering};

/// So often must threads meet before a scope gets more stocks.
const MEETINGS: usize = if cfg!(loom) { usize::MAX } else { 32 };
/// The most stocks of one scope, each of which may hold [`CAPACITY`](super::stock::CAPACITY) bytes.
const MOST: usize = 64;

#[derive(Debug)]
pub(super) struct Shards {
    /// Null, or a leaked `Box<Crowd>` that this owns. Set once.
    crowd: AtomicPtr<Crowd>,
    meetings: AtomicUsize,
}

#[derive(Debug)]
struct Crowd {
    /// A power of two many.
    stocks: Box<[Padded]>,
}

/// Two lines: processors fetch them in pairs.
#[derive(Debug)]
#[repr(align(128))]
struct Padded(Stock);

impl Shards {
    pub(super) fn new() -> Self {
        Self {
            crowd: AtomicPtr::new(null_mut()),
            meetings: AtomicUsize::new(0),
        }
    }

    /// This thread's stock, if there is more than the first one.
    #[inline]
    pub(super) fn of_this_thread(&self) -> Option<&Stock> {
        let crowd = self.crowd()?;
        let stock = &crowd.stocks[thread_number() & (crowd.stocks.len() - 1)];
        Some(&stock.0)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Stock> {
        self.crowd()
            .into_iter()
            .flat_map(|crowd| crowd.stocks.iter().map(|padded| &padded.0))
    }

    #[inline]
    fn crowd(&self) -> Option<&Crowd> {
        // Acquire pairs with the release in `is_crowded`: the crowd is complete.
        let crowd = self.crowd.load(Ordering::Acquire);
        // SAFETY: null, or made from a box in `is_crowded`, which lives as long as `self` and is never borrowed mutably.
        unsafe { crowd.as_ref() }
    }

    /// Two threads have met here.
    pub(super) fn is_crowded(&self) {
        let count = processors();
        // Relaxed: a mere count.
        if count == 1
            || !self.crowd.load(Ordering::Relaxed).is_null()
            || self.meetings.fetch_add(1, Ordering::Relaxed) < MEETINGS
        {
            return;
        }
        let stocks = (0..count).map(|_| Padded(Stock::new())).collect();
        let crowd = Box::into_raw(Box::new(Crowd { stocks }));
        let first =
            self.crowd
                .compare_exchange(null_mut(), crowd, Ordering::AcqRel, Ordering::Relaxed);
        if first.is_err() {
            // SAFETY: just made from a box, and shown to nobody.
            drop(unsafe { Box::from_raw(crowd) });
        }
    }
}

impl Drop for Shards {
    fn drop(&mut self) {
        let crowd = self.crowd.load(Ordering::Relaxed);
        if !crowd.is_null() {
            // SAFETY: made from a box in `is_crowded` and owned by this; borrows of it have ended with those of `self`.
            drop(unsafe { Box::from_raw(crowd) });
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

/// A small number for each thread: the first gets 0, the next 1, and so on.
#[inline]
fn thread_number() -> usize {
    thread_local! {
        /// The number plus one; 0 before it was asked for. Without destructor, so that it can be read at any time.
        static NUMBER: Cell<usize> = const { Cell::new(0) };
    }
    NUMBER
        .try_with(|number| {
            if number.get() == 0 {
                number.set(next_thread_number());
            }
            number.get() - 1
        })
        .unwrap_or(0)
}

#[cold]
fn next_thread_number() -> usize {
    #[expect(
        clippy::disallowed_types,
        reason = "a static cannot hold one of loom's, and no order depends on it"
    )]
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

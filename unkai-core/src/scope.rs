//! Who holds how much: the numbers behind one allocator handle.
//!
//! A [`Scope`] counts the bytes and blocks that its owner takes and gives back, exactly and without a lock, and
//! remembers the most that was ever held. `unkai-allocator` charges one scope per handle. A scope never allocates,
//! never fails and never sees a pointer: it knows numbers only.
//!
//! An allocation is charged in two steps, because the inner allocator may refuse it in between:
//!
//! ```text
//!                      charge(n)          the inner call            keep()
//!   used_bytes    ──────── + n ─────────────────────────────────────────────────────▶  what readers see
//!   held_bytes    ───────────────────────────────────────────────── + n ──┐
//!   peak_bytes    ────────────────────────────────────────────────────────┴ max ────▶  never sees a refused request
//!                                         refused? drop(charge): used_bytes − n, and nothing else ever changed
//! ```
//!
//! # What is promised
//! 1. **Usage is never below the heap.** A block is in `used` from before the inner allocator is asked for it until after
//!    it has taken the block back. A reader on another thread may therefore see a request that is about to be refused.
//! 2. **Usage is exact at rest.** While no call is in flight, `used` is the sum over the blocks held. The one wrapping
//!    sum is that of requests *in flight*: more than `usize::MAX` bytes of them at once can make a concurrent reader see
//!    a smaller number, until those that cannot be served are refused.
//! 3. **A refused request leaves no trace**: not in usage once the call has returned, and never in the peak.
//! 4. **The peak is never too low.** Take any blocks that were held at the same moment (the moment comes after every one
//!    was returned and before any one is given back): the peak is at least their sum, from that moment on. Proof: each
//!    such block is in `held_bytes`; the last of them to be added saw the others in its sum, and raised the peak to that
//!    sum before the block was returned.
//! 5. **The peak is never higher than what the inner allocator had really given out**, where a block that another
//!    thread is giving back at that moment still counts. With one thread at a time it is exact.
//!
//! # Where limits will live
//! Here. A scope is to become a node of a tree: with a parent, a limit, and a stock of bytes drawn from the parent.
//! [`Scope::charge`] and [`Scope::resize`] are then the two places that can refuse, before anything is added, and
//! [`Charge`] and [`Scope::uncharge`] stay as they are. No tree exists yet.

use std::mem::ManuallyDrop;

use crate::sync::{AtomicUsize, Ordering};

/// Exact usage of one owner, over all threads.
///
/// All methods may be called from any thread, and take no lock. A block of zero bytes holds no memory and counts
/// neither as bytes nor as a block, so there are blocks exactly while there are bytes.
///
/// Cost: a charge that is kept, and its later uncharge, take three atomic additions each, on the same cache line; a
/// resize takes two.
///
/// ```
/// use unkai_core::Scope;
///
/// let scope = Scope::new();
/// scope.charge(100).keep(); // the inner allocator served it
/// drop(scope.charge(5000)); // the inner allocator refused it
///
/// assert_eq!(scope.usage().bytes, 100);
/// assert_eq!(scope.usage().blocks, 1);
/// assert_eq!(scope.usage().peak_bytes, 100);
/// scope.uncharge(100);
/// assert_eq!(scope.usage().bytes, 0);
/// ```
#[derive(Debug)]
pub struct Scope {
    /// Bytes of blocks that are held, and of requests in flight. Invariant: at rest equal to `held_bytes`.
    used_bytes: AtomicUsize,
    /// Blocks of at least one byte that are held, and requests in flight for such.
    used_blocks: AtomicUsize,
    /// Bytes of blocks that the inner allocator has given out and not yet taken back. Only the peak needs it.
    held_bytes: AtomicUsize,
    /// Invariant: the maximum of `held_bytes`, at the latest when the call that raised it returns.
    peak_bytes: AtomicUsize,
}

// Every operation here is relaxed: each number stands alone, its sum is exact because additions are atomic, and no
// number is used to publish other memory. Promise 4 needs no more than the order of changes to `held_bytes` itself.
impl Scope {
    /// A scope that holds nothing.
    pub fn new() -> Self {
        Self {
            used_bytes: AtomicUsize::new(0),
            used_blocks: AtomicUsize::new(0),
            held_bytes: AtomicUsize::new(0),
            peak_bytes: AtomicUsize::new(0),
        }
    }

    /// Charges a new block of `bytes`, before it is asked for.
    ///
    /// [Keep](Charge::keep) the charge when the block was served; drop it when not.
    #[inline]
    pub fn charge(&self, bytes: usize) -> Charge<'_> {
        self.resize(0, bytes)
    }

    /// Charges the change of a block from `old_bytes` to `new_bytes`, before it is asked for: growth at once, and a
    /// reduction only when the charge is [kept](Charge::keep), after the memory has really been given back.
    #[inline]
    pub fn resize(&self, old_bytes: usize, new_bytes: usize) -> Charge<'_> {
        if new_bytes > old_bytes {
            self.used_bytes
                .fetch_add(new_bytes - old_bytes, Ordering::Relaxed);
            if old_bytes == 0 {
                self.used_blocks.fetch_add(1, Ordering::Relaxed);
            }
        }
        Charge {
            scope: self,
            old_bytes,
            new_bytes,
        }
    }

    /// Takes a block of `bytes` out, after it has been freed.
    #[inline]
    pub fn uncharge(&self, bytes: usize) {
        self.resize(bytes, 0).keep();
    }

    /// Bytes used: those of [`usage`](Self::usage), alone.
    #[inline]
    pub fn used_bytes(&self) -> usize {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// What is used now, and the most that was held so far.
    ///
    /// The three numbers are read one after the other. While other threads allocate they may belong to slightly
    /// different moments, and `bytes` may include requests in flight, which `peak_bytes` never does.
    pub fn usage(&self) -> Usage {
        Usage {
            bytes: self.used_bytes(),
            blocks: self.used_blocks.load(Ordering::Relaxed),
            peak_bytes: self.peak_bytes.load(Ordering::Relaxed),
        }
    }

    /// The request was served: what was charged is now held.
    #[inline]
    fn settle(&self, old_bytes: usize, new_bytes: usize) {
        if new_bytes > old_bytes {
            let grown_by = new_bytes - old_bytes;
            let before = self.held_bytes.fetch_add(grown_by, Ordering::Relaxed);
            let held = before.wrapping_add(grown_by);
            // A stale peak is a lower peak, as it only rises: at worst the call is made in vain.
            if held > self.peak_bytes.load(Ordering::Relaxed) {
                self.raise_peak(held);
            }
        } else if new_bytes < old_bytes {
            let shrunk_by = old_bytes - new_bytes;
            let before = self.held_bytes.fetch_sub(shrunk_by, Ordering::Relaxed);
            debug_assert!(before >= shrunk_by, "more bytes given back than were held");
            self.take_back(old_bytes, new_bytes);
        }
    }

    /// The request was refused: what it had charged goes.
    #[inline]
    fn cancel(&self, old_bytes: usize, new_bytes: usize) {
        if new_bytes > old_bytes {
            self.take_back(new_bytes, old_bytes);
        }
    }

    /// Lowers a block's part of `used_bytes` and `used_blocks` from `from` to `to` bytes; `to` is the smaller.
    #[inline]
    fn take_back(&self, from: usize, to: usize) {
        self.used_bytes.fetch_sub(from - to, Ordering::Relaxed);
        if to == 0 {
            let blocks = self.used_blocks.fetch_sub(1, Ordering::Relaxed);
            debug_assert!(blocks > 0, "more blocks given back than were held");
        }
    }

    #[cold]
    fn raise_peak(&self, held: usize) {
        self.peak_bytes.fetch_max(held, Ordering::Relaxed);
    }
}

impl Default for Scope {
    fn default() -> Self {
        Self::new()
    }
}

/// A change that was charged to a [`Scope`] and waits for the inner allocator's answer.
///
/// Dropping it undoes the charge, also when the inner allocator unwinds.
#[derive(Debug)]
#[must_use = "a charge that is not kept is undone"]
pub struct Charge<'s> {
    scope: &'s Scope,
    old_bytes: usize,
    new_bytes: usize,
}

impl Charge<'_> {
    /// The inner allocator has served the request.
    #[inline]
    pub fn keep(self) {
        let charge = ManuallyDrop::new(self);
        charge.scope.settle(charge.old_bytes, charge.new_bytes);
    }
}

impl Drop for Charge<'_> {
    #[inline]
    fn drop(&mut self) {
        self.scope.cancel(self.old_bytes, self.new_bytes);
    }
}

/// What a [`Scope`] holds: see [`Scope::usage`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Requested bytes (`Layout::size`) of the blocks that are held, and of requests in flight.
    pub bytes: usize,
    /// The number of those blocks; blocks of zero bytes are not counted.
    pub blocks: usize,
    /// The most bytes that were ever held at the same time. Requests that were refused are not in it.
    pub peak_bytes: usize,
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn usage(bytes: usize, blocks: usize, peak_bytes: usize) -> Usage {
        Usage {
            bytes,
            blocks,
            peak_bytes,
        }
    }

    #[test]
    fn a_charge_counts_before_it_is_kept_and_its_peak_after() {
        let scope = Scope::new();
        let charge = scope.charge(10);
        assert_eq!(scope.usage(), usage(10, 1, 0));
        charge.keep();
        assert_eq!(scope.usage(), usage(10, 1, 10));
        scope.uncharge(10);
        assert_eq!(scope.usage(), usage(0, 0, 10));
    }

    #[test]
    fn a_refused_charge_leaves_no_trace() {
        let scope = Scope::new();
        scope.charge(10).keep();
        drop(scope.charge(1 << 30));
        drop(scope.resize(10, 1 << 30));
        drop(scope.resize(10, 4));
        drop(scope.resize(10, 0));
        assert_eq!(scope.usage(), usage(10, 1, 10));
    }

    #[test]
    fn a_refused_charge_in_flight_is_not_in_the_peak_of_another() {
        let scope = Scope::new();
        let refused = scope.charge(1000);
        scope.charge(10).keep();
        drop(refused);
        assert_eq!(scope.usage(), usage(10, 1, 10));
    }

    #[test]
    fn growth_counts_at_once_and_a_reduction_when_kept() {
        let scope = Scope::new();
        scope.charge(10).keep();
        let growth = scope.resize(10, 30);
        assert_eq!(scope.usage(), usage(30, 1, 10));
        growth.keep();
        assert_eq!(scope.usage(), usage(30, 1, 30));
        let reduction = scope.resize(30, 5);
        assert_eq!(scope.usage(), usage(30, 1, 30));
        reduction.keep();
        assert_eq!(scope.usage(), usage(5, 1, 30));
    }

    #[test]
    fn a_block_counts_while_it_has_bytes() {
        let scope = Scope::new();
        scope.charge(0).keep();
        assert_eq!(scope.usage(), usage(0, 0, 0));
        scope.resize(0, 8).keep();
        assert_eq!(scope.usage(), usage(8, 1, 8));
        scope.resize(8, 8).keep();
        assert_eq!(scope.usage(), usage(8, 1, 8));
        scope.resize(8, 0).keep();
        assert_eq!(scope.usage(), usage(0, 0, 8));
        scope.uncharge(0);
        drop(scope.charge(0));
        drop(scope.resize(0, 8));
        assert_eq!(scope.usage(), usage(0, 0, 8));
    }

    #[test]
    fn requests_in_flight_beyond_the_address_space_come_back_exactly() {
        let scope = Scope::new();
        scope.charge(10).keep();
        let most = isize::MAX as usize;
        let refused = [scope.charge(most), scope.charge(most), scope.charge(most)];
        scope.charge(20).keep();
        drop(refused);
        assert_eq!(scope.usage(), usage(30, 2, 30));
    }
}

/// Every interleaving of two threads, at small numbers.
#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    #[test]
    fn a_refused_request_never_reaches_the_peak() {
        loom::model(|| {
            let scope = Arc::new(Scope::new());
            let other = Arc::clone(&scope);
            let refused = thread::spawn(move || drop(other.charge(100)));
            scope.charge(10).keep();
            assert!(scope.used_bytes() >= 10);
            assert_eq!(scope.usage().peak_bytes, 10);
            scope.uncharge(10);
            refused.join().unwrap();
            let usage = scope.usage();
            assert_eq!((usage.bytes, usage.blocks, usage.peak_bytes), (0, 0, 10));
        });
    }

    #[test]
    fn blocks_that_are_held_together_are_in_the_peak_together() {
        loom::model(|| {
            let scope = Arc::new(Scope::new());
            let other = Arc::clone(&scope);
            let holder = thread::spawn(move || other.charge(10).keep());
            scope.charge(3).keep();
            scope.resize(3, 7).keep();
            holder.join().unwrap();
            let usage = scope.usage();
            assert_eq!((usage.bytes, usage.blocks, usage.peak_bytes), (17, 2, 17));
        });
    }

    #[test]
    fn blocks_that_come_and_go_leave_a_peak_between_the_largest_and_the_sum() {
        loom::model(|| {
            let scope = Arc::new(Scope::new());
            let other = Arc::clone(&scope);
            let thread = thread::spawn(move || {
                other.charge(10).keep();
                other.uncharge(10);
            });
            scope.charge(7).keep();
            scope.resize(7, 2).keep();
            scope.uncharge(2);
            thread.join().unwrap();
            let usage = scope.usage();
            assert_eq!((usage.bytes, usage.blocks), (0, 0));
            assert!((10..=17).contains(&usage.peak_bytes));
        });
    }
}

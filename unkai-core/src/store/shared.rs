//! The exact counters of all threads that have none of their own.
//!
//! Each count is an atomic addition. What is live is a count by itself, not a difference of two that were read at different
//! times: so it is a value that was true at some moment, and no peak is noted that never was.

use super::peak::QUANTUM;
use crate::snapshot::Amount;
use crate::sync::{AtomicI64, AtomicU64, Ordering};

/// Counters that any thread changes.
#[derive(Debug, Default)]
pub(crate) struct SharedCells {
    allocated_bytes: AtomicU64,
    allocated_blocks: AtomicU64,
    freed_bytes: AtomicU64,
    freed_blocks: AtomicU64,
    live: AtomicI64,
    /// Live bytes when the peak was last looked at for the sake of these counters, or the fewest since.
    seen: AtomicI64,
    /// The most live bytes that were seen.
    peak: AtomicI64,
}

impl SharedCells {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Self {
            allocated_bytes: AtomicU64::new(0),
            allocated_blocks: AtomicU64::new(0),
            freed_bytes: AtomicU64::new(0),
            freed_blocks: AtomicU64::new(0),
            live: AtomicI64::new(0),
            seen: AtomicI64::new(0),
            peak: AtomicI64::new(0),
        }
    }

    /// loom's atomics are not made in constants.
    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn count_alloc(&self, bytes: usize) {
        self.add_allocated(bytes as u64, 1);
    }

    pub(crate) fn count_dealloc(&self, bytes: usize) {
        self.add_freed(bytes as u64, 1);
    }

    /// Counts what is left of what went by elsewhere: allocated and not freed, or freed of what was here before.
    pub(crate) fn take_over(&self, allocated: Amount, freed: Amount) {
        self.add_allocated(
            allocated.bytes.saturating_sub(freed.bytes),
            allocated.blocks.saturating_sub(freed.blocks),
        );
        self.add_freed(
            freed.bytes.saturating_sub(allocated.bytes),
            freed.blocks.saturating_sub(allocated.blocks),
        );
    }

    fn add_allocated(&self, bytes: u64, blocks: u64) {
        self.allocated_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.allocated_blocks.fetch_add(blocks, Ordering::Relaxed);
        self.live.fetch_add(bytes as i64, Ordering::Relaxed);
    }

    fn add_freed(&self, bytes: u64, blocks: u64) {
        self.freed_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.freed_blocks.fetch_add(blocks, Ordering::Relaxed);
        let live = self.live.fetch_sub(bytes as i64, Ordering::Relaxed);
        let live = live.wrapping_sub(bytes as i64);
        self.seen.fetch_min(live, Ordering::Relaxed);
    }

    /// Whether live bytes have grown by a quantum since this was last so. To be asked after each operation that may have made
    /// them grow.
    pub(crate) fn has_grown(&self) -> bool {
        let live = self.live_bytes();
        self.peak.fetch_max(live, Ordering::Relaxed);
        let grown = |seen: i64| (live.wrapping_sub(seen) >= QUANTUM).then_some(live);
        let seen = self
            .seen
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown);
        seen.is_ok()
    }

    pub(crate) fn allocated(&self) -> Amount {
        Amount {
            bytes: self.allocated_bytes.load(Ordering::Relaxed),
            blocks: self.allocated_blocks.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn freed(&self) -> Amount {
        Amount {
            bytes: self.freed_bytes.load(Ordering::Relaxed),
            blocks: self.freed_blocks.load(Ordering::Relaxed),
        }
    }

    /// The most live bytes there were: exact where one thread counts at a time, and never more than there were.
    pub(crate) fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed).max(0) as u64
    }

    pub(crate) fn live_bytes(&self) -> i64 {
        self.live.load(Ordering::Relaxed)
    }
}

#[cfg(all(test, loom))]
mod models {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    /// One thread's only block, and another's one after the other: the peak lies between what the last who looked has left
    /// and what there was at most, and in the end all is counted.
    #[test]
    fn no_peak_is_noted_that_never_was() {
        loom::model(|| {
            let shared = Arc::new(SharedCells::new());
            let other = {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    for _ in 0..2 {
                        shared.count_alloc(100);
                        shared.count_dealloc(100);
                    }
                })
            };
            shared.count_alloc(100);
            shared.has_grown();
            other.join().unwrap();
            assert!((100..=200).contains(&shared.peak()), "{}", shared.peak());
            let total = |bytes, blocks| Amount { bytes, blocks };
            assert_eq!(shared.allocated(), total(300, 3));
            assert_eq!(shared.freed(), total(200, 2));
            assert_eq!(shared.live_bytes(), 100);
        });
    }

    /// Threads that grow at once: somebody is told of the growth, also if only both together are a quantum.
    #[test]
    fn growth_is_told_to_somebody() {
        loom::model(|| {
            let shared = Arc::new(SharedCells::new());
            let grow = |shared: &SharedCells| {
                shared.count_alloc(QUANTUM as usize / 2);
                shared.has_grown()
            };
            let other = {
                let shared = Arc::clone(&shared);
                thread::spawn(move || grow(&shared))
            };
            let told = grow(&shared) | other.join().unwrap();
            assert!(told);
            assert_eq!(shared.peak(), QUANTUM as u64);
        });
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn growth_by_a_quantum_is_told_once_and_counts_from_the_lowest_since() {
        let shared = SharedCells::new();
        let quantum = QUANTUM as usize;
        shared.count_alloc(quantum - 1);
        assert!(!shared.has_grown());
        shared.count_alloc(1);
        assert_eq!((shared.has_grown(), shared.has_grown()), (true, false));
        shared.count_dealloc(quantum);
        shared.count_alloc(quantum);
        assert!(shared.has_grown());
        assert_eq!(shared.peak(), QUANTUM as u64);
    }

    /// Threads that keep one block each: the peak is what the last of them has seen.
    #[test]
    fn a_crowd_ends_with_exact_counts_and_no_peak_that_never_was() {
        const THREADS: usize = 4;
        const ROUNDS: usize = 20_000;
        let shared = SharedCells::new();
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..ROUNDS {
                        shared.count_alloc(100);
                        shared.has_grown();
                        shared.count_dealloc(100);
                    }
                });
            }
        });
        let all = Amount {
            bytes: (THREADS * ROUNDS * 100) as u64,
            blocks: (THREADS * ROUNDS) as u64,
        };
        assert_eq!((shared.allocated(), shared.freed()), (all, all));
        assert_eq!(shared.live_bytes(), 0);
        let most = THREADS as u64 * 100;
        assert!((100..=most).contains(&shared.peak()), "{}", shared.peak());
    }
}

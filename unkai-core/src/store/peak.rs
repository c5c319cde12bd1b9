//! The highest value of live bytes.
//!
//! No counter of one thread knows a peak, and adding up all threads at each allocation would cost too much. So each
//! thread *publishes* its share after at most [`QUANTUM`] bytes in either direction, and only when the published sum
//! rises above a *fence* a little over the known peak, all shares are brought up to date and the peak is taken anew.
//! The fence stands above the peak by one part in 256 or by what the threads may hold back, whichever is more.

use super::pool::Pool;
use crate::sync::{AtomicI64, AtomicU32, Ordering};

/// Bytes that a thread may allocate, or free, before it publishes.
pub(crate) const QUANTUM: i64 = 64 << 10;

/// The gauge of live bytes.
#[derive(Debug)]
pub(crate) struct Peak {
    /// Sum of what all cells have published.
    published: AtomicI64,
    peak: AtomicI64,
    /// Published sums up to here need no closer look.
    fence: AtomicI64,
    /// Goes up with each new peak beyond the fence.
    epoch: AtomicU32,
}

impl Peak {
    pub(crate) fn new() -> Self {
        Self {
            published: AtomicI64::new(0),
            peak: AtomicI64::new(0),
            fence: AtomicI64::new(0),
            epoch: AtomicU32::new(1),
        }
    }

    /// Publishes the share of one thread's cells, and takes a closer look at all if that passes the fence.
    pub(crate) fn publish(&self, cells: &super::cells::Cells, pool: &Pool, extra: i64) {
        let sum = self.bring_up_to_date(cells);
        if sum > self.fence.load(Ordering::Relaxed) {
            self.measure(pool, extra);
        }
    }

    /// Takes live bytes over all threads now. `extra` are those that are counted outside the cells.
    pub(crate) fn measure(&self, pool: &Pool, extra: i64) {
        let mut threads = 0;
        for cells in pool.iter() {
            self.bring_up_to_date(cells);
            threads += 1;
        }
        let live = self.published.load(Ordering::Relaxed) + extra;
        let before = self.peak.fetch_max(live, Ordering::Relaxed);
        if live > before {
            let fence = live - extra + Self::slack(live, threads);
            self.fence.fetch_max(fence, Ordering::Relaxed);
            self.epoch.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The peak so far, and how far it may lie from the true one.
    pub(crate) fn read(&self, pool: &Pool) -> (u64, u64) {
        let peak = self.peak.load(Ordering::Relaxed).max(0);
        let held_back = pool.used() as i64 * QUANTUM;
        (
            peak as u64,
            (Self::slack(peak, pool.used() as i64) + held_back) as u64,
        )
    }

    /// The number of the latest peak.
    pub(crate) fn epoch(&self) -> u32 {
        self.epoch.load(Ordering::Relaxed)
    }

    fn slack(live: i64, threads: i64) -> i64 {
        (live / 256).max(threads * QUANTUM)
    }

    /// Publishes what `cells` hold now. Any thread may do it for any cells: each change is swapped in exactly once.
    fn bring_up_to_date(&self, cells: &super::cells::Cells) -> i64 {
        let now = cells.live_bytes();
        let before = cells.own.published.swap(now, Ordering::Relaxed);
        let change = now.wrapping_sub(before);
        self.published
            .fetch_add(change, Ordering::Relaxed)
            .wrapping_add(change)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::store::cells::Direction;

    #[test]
    fn the_peak_survives_what_comes_after() {
        let pool = Pool::new(2).unwrap();
        let (cells, _) = pool.acquire().unwrap();
        let peak = Peak::new();
        for direction in [Direction::Allocated, Direction::Freed] {
            cells.rearm(direction, i64::MAX / 4);
        }
        cells.count_alloc(10 << 20);
        peak.publish(cells, &pool, 0);
        cells.count_dealloc(0, 10 << 20, 8);
        peak.publish(cells, &pool, 0);
        assert_eq!(peak.read(&pool).0, 10 << 20);
    }

    #[test]
    fn a_thread_that_only_frees_does_not_raise_the_peak() {
        let pool = Pool::new(2).unwrap();
        let (producer, _) = pool.acquire().unwrap();
        let (consumer, _) = pool.acquire().unwrap();
        for cells in [producer, consumer] {
            for direction in [Direction::Allocated, Direction::Freed] {
                cells.rearm(direction, i64::MAX / 4);
            }
        }
        let peak = Peak::new();
        for _ in 0..10_000 {
            producer.count_alloc(1000);
            peak.publish(producer, &pool, 0);
            // The consumer frees at once, but never publishes by itself.
            consumer.count_dealloc(0, 1000, 8);
        }
        let (bytes, error) = peak.read(&pool);
        assert!(bytes <= 1000 + error, "{bytes} ± {error}");
    }

    #[test]
    fn each_step_of_a_climb_is_within_the_bound() {
        let pool = Pool::new(1).unwrap();
        let (cells, _) = pool.acquire().unwrap();
        for direction in [Direction::Allocated, Direction::Freed] {
            cells.rearm(direction, i64::MAX / 4);
        }
        let peak = Peak::new();
        for step in 1..5_000u64 {
            cells.count_alloc(60_000);
            peak.publish(cells, &pool, 0);
            let (bytes, error) = peak.read(&pool);
            let live = step * 60_000;
            assert!(
                bytes <= live && bytes + error >= live,
                "{bytes} ± {error} for {live}"
            );
        }
    }
}

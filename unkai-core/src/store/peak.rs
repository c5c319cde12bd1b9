//! The highest value of live bytes.
//!
//! No counter of one thread knows a peak, and adding up all threads at each allocation would cost too much. So each
//! thread *publishes* its share after at most [`QUANTUM`] bytes in either direction, and only when the published sum
//! rises above a *fence* a little over the known peak, all shares are brought up to date and the peak is taken anew.
//! The fence stands above the peak by one part in 256 or by what the threads may hold back, whichever is more.
//!
//! An *alarm* for whoever watches the heap is one more fence: the lower of the two is what a thread compares with, so an
//! alarm costs nothing until it goes off, and no alarm costs nothing at all.

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
    /// Live bytes up to here need no closer look: the lower of the next two.
    trip: AtomicI64,
    /// Up to here there is no new peak worth noting.
    fence: AtomicI64,
    /// Live bytes that somebody wants to know of; `NO_ALARM` if nobody does.
    alarm: AtomicI64,
    /// Goes up with each new peak beyond the fence.
    epoch: AtomicU32,
}

impl Peak {
    pub(crate) fn new() -> Self {
        Self {
            published: AtomicI64::new(0),
            peak: AtomicI64::new(0),
            trip: AtomicI64::new(0),
            fence: AtomicI64::new(0),
            alarm: AtomicI64::new(NO_ALARM),
            epoch: AtomicU32::new(1),
        }
    }

    /// Publishes the share of this thread's cells, and takes a closer look at all if that passes the trip. `extra` is what is
    /// live by other counts. Returns whether the alarm went off.
    pub(crate) fn publish(&self, cells: &super::cells::Cells, pool: &Pool, extra: i64) -> bool {
        let sum = cells
            .own_live_bytes()
            .map(|now| self.bring_up_to(now, cells));
        sum.is_some_and(|sum| sum.wrapping_add(extra) > self.trip.load(Ordering::Relaxed))
            && self.measure(pool, extra)
    }

    /// Takes live bytes over all threads now; `extra` as in `publish`, to be called whenever that has grown by a [`QUANTUM`].
    /// Returns whether the alarm went off, which it does once.
    pub(crate) fn measure(&self, pool: &Pool, extra: i64) -> bool {
        let mut threads = 0;
        for cells in pool.iter() {
            // Cells whose owner is in the middle of something stand at what they have published: it is about to look itself.
            if let Some(now) = cells.live_bytes() {
                self.bring_up_to(now, cells);
            }
            threads += 1;
        }
        let live = self.published.load(Ordering::Relaxed).wrapping_add(extra);
        let before = self.peak.fetch_max(live, Ordering::Relaxed);
        if live > before {
            let fence = live.saturating_add(Self::slack(live, threads));
            self.fence.fetch_max(fence, Ordering::Relaxed);
            self.epoch.fetch_add(1, Ordering::Relaxed);
            self.settle_trip();
        }
        let alarm = self.alarm.load(Ordering::Relaxed);
        // Of threads that see it at once, one takes it.
        let goes_off = live >= alarm && {
            let order = Ordering::Relaxed;
            let taken = self.alarm.compare_exchange(alarm, NO_ALARM, order, order);
            taken.is_ok()
        };
        if goes_off {
            self.settle_trip();
        }
        goes_off
    }

    /// Goes off once when live bytes reach `alarm`; at once if they have. In place of any alarm before; `None` for none.
    pub(crate) fn set_alarm(&self, alarm: Option<i64>, pool: &Pool, extra: i64) -> bool {
        self.alarm
            .store(alarm.unwrap_or(NO_ALARM), Ordering::Relaxed);
        self.settle_trip();
        self.measure(pool, extra)
    }

    /// Brings the trip in line with fence and alarm, one of which the caller has just changed.
    ///
    /// If the other changes meanwhile, whoever changed it may have stored its trip before ours: then ours is stale, and we
    /// go again. So the trip that is stored last is that of the last change.
    fn settle_trip(&self) {
        let mut trip = self.lower_of_both();
        loop {
            // Release and Acquire: of two swaps, the later sees the changes that the earlier was made from.
            self.trip.swap(trip, Ordering::AcqRel);
            match self.lower_of_both() {
                same if same == trip => return,
                other => trip = other,
            }
        }
    }

    fn lower_of_both(&self) -> i64 {
        let fence = self.fence.load(Ordering::Relaxed);
        match self.alarm.load(Ordering::Relaxed) {
            NO_ALARM => fence,
            // Live bytes are to be *above* the trip.
            alarm => fence.min(alarm.saturating_sub(1)),
        }
    }

    /// The peak so far, and how far it may lie from the true one.
    pub(crate) fn read(&self, pool: &Pool) -> (u64, u64) {
        let peak = self.peak.load(Ordering::Relaxed).max(0);
        // By each thread, and by what is counted outside the cells.
        let held_back = (pool.used() as i64 + 1) * QUANTUM;
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

    /// Publishes that `cells` hold `now`, and returns the sum over all. Any thread may do it for any cells: each change is swapped in
    /// exactly once.
    fn bring_up_to(&self, now: i64, cells: &super::cells::Cells) -> i64 {
        let before = cells.own.published.swap(now, Ordering::Relaxed);
        let change = now.wrapping_sub(before);
        let before = self.published.fetch_add(change, Ordering::Relaxed);
        before.wrapping_add(change)
    }
}

const NO_ALARM: i64 = i64::MAX;

#[cfg(all(test, loom))]
mod models {
    use super::*;
    use crate::store::cells::Direction;
    use loom::sync::Arc;

    /// An alarm is set while another thread passes both it and the peak: it goes off, exactly once, at that thread's next
    /// look at the latest.
    ///
    /// (A look at all threads that began before the growth can put an older figure in place of the newer one; the thread
    /// puts that right when it looks again.)
    #[test]
    fn an_alarm_is_never_lost() {
        let mut builder = loom::model::Builder::new();
        // Without a bound there is no end to it.
        builder.preemption_bound = Some(2);
        builder.check(|| {
            let shared = Arc::new((Peak::new(), Pool::new(1).unwrap()));
            let (cells, _) = shared.1.acquire().unwrap();
            cells.rearm(Direction::Allocated, 1 << 40);
            let grows = {
                let shared = Arc::clone(&shared);
                loom::thread::spawn(move || {
                    let (peak, pool) = &*shared;
                    let cells = pool.iter().next().unwrap();
                    cells.count_alloc(10 << 20);
                    let first = peak.publish(cells, pool, 0);
                    first || peak.publish(cells, pool, 0)
                })
            };
            let (peak, pool) = &*shared;
            let at_once = peak.set_alarm(Some(5 << 20), pool, 0);
            let later = grows.join().unwrap();
            let cells = pool.iter().next().unwrap();
            let next = peak.publish(cells, pool, 0);
            let times = [at_once, later, next]
                .into_iter()
                .filter(|went_off| *went_off);
            assert_eq!(times.count(), 1, "{at_once} {later} {next}");
            // The last value, which loom gives to read-modify-writes only.
            let trip = peak.trip.fetch_add(0, Ordering::Relaxed);
            assert!(trip >= 10 << 20, "{trip}");
        });
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

    #[test]
    fn an_alarm_goes_off_once_within_two_quanta_of_each_thread() {
        const THREADS: usize = 4;
        let pool = Pool::new(THREADS as u32).unwrap();
        let cells: Vec<_> = (0..THREADS).map(|_| pool.acquire().unwrap().0).collect();
        for cells in &cells {
            cells.rearm(Direction::Allocated, i64::MAX / 4);
        }
        let peak = Peak::new();
        assert!(!peak.set_alarm(Some(100 << 20), &pool, 0));
        let (mut live, mut went_off_at) = (0, Vec::new());
        for step in 0..10_000_usize {
            let size = 1 + step * 7919 % 60_000;
            let cells = cells[step % THREADS];
            cells.count_alloc(size);
            live += size as i64;
            let unpublished =
                cells.live_bytes().unwrap() - cells.own.published.load(Ordering::Relaxed);
            if unpublished >= QUANTUM && peak.publish(cells, &pool, 0) {
                went_off_at.push(live);
            }
        }
        let [at] = went_off_at[..] else {
            panic!("went off at {went_off_at:?}");
        };
        let bound = (100 << 20) + 2 * THREADS as i64 * QUANTUM;
        assert!((100 << 20..=bound).contains(&at), "{at} is not in {bound}");
    }

    #[test]
    fn an_alarm_below_what_is_live_goes_off_at_once() {
        let pool = Pool::new(1).unwrap();
        let (cells, _) = pool.acquire().unwrap();
        cells.rearm(Direction::Allocated, i64::MAX / 4);
        cells.count_alloc(1000);
        let peak = Peak::new();
        assert!(!peak.set_alarm(Some(1001), &pool, 0));
        assert!(peak.set_alarm(Some(1001), &pool, 1), "one byte elsewhere");
        assert!(!peak.measure(&pool, 1), "only once");
        assert!(!peak.set_alarm(None, &pool, 1));
        // The highest there is, while more was freed than allocated outside the cells.
        assert!(!peak.set_alarm(Some(i64::MAX - 1), &pool, -1000));
        assert!(peak.trip.load(Ordering::Relaxed) >= 1000);
    }
}

//! Room for a bounded number of things, handed out to threads in small stocks, so that most of them take and give back
//! without touching what other threads touch.

use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// How many more there may be, beside what is in the threads' stocks.
#[derive(Debug)]
pub(crate) struct Room {
    left: AtomicU64,
    pub(crate) capacity: u64,
    /// What a stock is filled with, and half of the most that it holds. 0 where the room is too small to be divided.
    batch: u32,
}

/// Room that one thread holds in reserve. Changed by its owner only.
#[derive(Debug, Default)]
pub(crate) struct Stock(AtomicU32);

impl Stock {
    #[cfg(not(loom))]
    pub(crate) const fn empty() -> Self {
        Self(AtomicU32::new(0))
    }

    /// loom's atomics are not made in constants.
    #[cfg(loom)]
    pub(crate) fn empty() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Whether the next need goes to what all threads share.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    fn change(&self, change: impl FnOnce(u32) -> u32) {
        // Single writer: a load and a store suffice.
        self.0
            .store(change(self.0.load(Ordering::Relaxed)), Ordering::Relaxed);
    }
}

impl Room {
    pub(crate) fn of(capacity: u64) -> Self {
        Self {
            left: AtomicU64::new(capacity),
            capacity,
            batch: (capacity / LEAST_SHARES).min(LARGEST_BATCH) as u32,
        }
    }

    /// What is not left: what is in use, and what threads hold in stock.
    pub(crate) fn taken(&self) -> u64 {
        self.capacity
            .saturating_sub(self.left.load(Ordering::Relaxed))
    }

    /// Takes room for one, from the calling thread's stock if it has one. `false` if there is none.
    pub(crate) fn take(&self, stock: Option<&Stock>) -> bool {
        let stock = stock.filter(|_| self.batch > 0);
        if let Some(stock) = stock
            && stock.0.load(Ordering::Relaxed) > 0
        {
            stock.change(|held| held - 1);
            return true;
        }
        let wanted = stock.map_or(1, |_| u64::from(self.batch));
        let taken = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                (left > 0).then(|| left.saturating_sub(wanted))
            });
        let Ok(left) = taken else { return false };
        if let Some(stock) = stock {
            stock.change(|_| (left.min(wanted) - 1) as u32);
        }
        true
    }

    /// Gives room for one back, to the calling thread's stock if it has one.
    pub(crate) fn give(&self, stock: Option<&Stock>) {
        let Some(stock) = stock.filter(|_| self.batch > 0) else {
            self.left.fetch_add(1, Ordering::Relaxed);
            return;
        };
        stock.change(|held| held + 1);
        if stock.0.load(Ordering::Relaxed) > 2 * self.batch {
            stock.change(|held| held - self.batch);
            self.left
                .fetch_add(u64::from(self.batch), Ordering::Relaxed);
        }
    }
}

/// A thread's stock is at most two parts in so many.
const LEAST_SHARES: u64 = 4096;
const LARGEST_BATCH: u64 = 16;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn small_room_is_given_out_to_the_last() {
        let (room, one, other) = (Room::of(5), Stock::empty(), Stock::empty());
        assert!((0..3).all(|_| room.take(Some(&one))) && (0..2).all(|_| room.take(Some(&other))));
        assert!(!room.take(Some(&one)) && !room.take(Some(&other)));
        room.give(Some(&one));
        assert!(room.take(Some(&other)));
        room.give(None);
        assert!(room.take(Some(&one)));
    }

    #[test]
    fn what_is_given_back_beyond_a_stock_is_there_for_others() {
        let capacity = LEAST_SHARES * LARGEST_BATCH;
        let (room, one, other) = (Room::of(capacity), Stock::empty(), Stock::empty());
        assert!((0..capacity).all(|_| room.take(Some(&one))));
        assert!(!room.take(Some(&other)));
        (0..capacity).for_each(|_| room.give(Some(&one)));
        let taken = (0..capacity)
            .take_while(|_| room.take(Some(&other)))
            .count() as u64;
        assert!(
            (capacity - 2 * LARGEST_BATCH..=capacity).contains(&taken),
            "{taken}"
        );
    }

    #[test]
    fn threads_never_take_more_than_there_is() {
        const THREADS: u64 = 4;
        let room = Room::of(LEAST_SHARES * 2);
        let taken = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for seed in 0..THREADS {
                let (room, taken) = (&room, &taken);
                scope.spawn(move || {
                    let (stock, mut own) = (Stock::empty(), 0u64);
                    let mut random = crate::probe::sampler::Random::new(seed);
                    for _ in 0..300_000 {
                        if random.next() % 5 < 3 {
                            if room.take(Some(&stock)) {
                                own += 1;
                                let all = taken.fetch_add(1, Ordering::SeqCst) + 1;
                                assert!(all <= room.capacity, "{all}");
                            }
                        } else if own > 0 {
                            own -= 1;
                            taken.fetch_sub(1, Ordering::SeqCst);
                            room.give(Some(&stock));
                        }
                    }
                });
            }
        });
    }
}

#[cfg(all(test, loom))]
mod models {
    use super::*;
    use loom::sync::Arc;

    /// Two threads, one of which holds a stock, share room for three: never are four taken, and none is lost.
    #[test]
    fn no_more_is_taken_than_there_is() {
        loom::model(|| {
            let room = Arc::new(Room {
                batch: 2,
                ..Room::of(3)
            });
            let taken = Arc::new(AtomicU64::new(0));
            let take = |room: &Room, taken: &AtomicU64, stock: Option<&Stock>| {
                let got = room.take(stock);
                if got {
                    assert!(taken.fetch_add(1, Ordering::SeqCst) < 3);
                }
                got
            };
            let (other_room, other_taken) = (Arc::clone(&room), Arc::clone(&taken));
            let thread = loom::thread::spawn(move || {
                let stock = Stock::default();
                for _ in 0..2 {
                    if take(&other_room, &other_taken, Some(&stock)) {
                        other_taken.fetch_sub(1, Ordering::SeqCst);
                        other_room.give(Some(&stock));
                    }
                }
                u64::from(stock.0.load(Ordering::Relaxed))
            });
            let held = u64::from(take(&room, &taken, None)) + u64::from(take(&room, &taken, None));
            let stocked = thread.join().unwrap();
            assert_eq!(room.left.load(Ordering::SeqCst) + held + stocked, 3);
        });
    }
}

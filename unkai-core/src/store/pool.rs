//! The cells of all threads, past and present.
//!
//! A thread takes cells at its first operation and puts them back when it ends; the next thread goes on with them, totals
//! included. So nothing is ever folded or lost, memory is bounded by the number of threads alive *at once*, and reading
//! the totals is a walk over an array that never moves.
//!
//! The free cells form a stack (Treiber's): its head packs the index of the first with a tag that changes with each
//! change, so that a head which was taken and put back meanwhile is not mistaken for an unchanged one.

use super::cells::{Cells, Direction};
use super::region::Region;
use crate::snapshot::Amount;
use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// All cells that were ever used, and a list of those that are free.
#[derive(Debug)]
pub(crate) struct Pool {
    cells: Region<Cells>,
    /// Cells ever used: those beyond were never touched.
    used: AtomicU32,
    /// Tag in the upper half, index + 1 of the first free cells in the lower; 0 if none.
    free: AtomicU64,
}

impl Pool {
    pub(crate) fn new(capacity: u32) -> Option<Self> {
        Some(Self {
            cells: Region::new(capacity as usize)?,
            used: AtomicU32::new(0),
            free: AtomicU64::new(0),
        })
    }

    /// Takes free cells: used ones first. Returns them, and their index if they were never used before. `None` if all are taken.
    pub(crate) fn acquire(&self) -> Option<(&Cells, Option<u32>)> {
        // Acquire: pairs with the Release in `release`, so that the former owner's last writes are seen.
        let mut head = self.free.load(Ordering::Acquire);
        while let Some(index) = (head as u32).checked_sub(1) {
            let cells = &self.cells[index as usize];
            // If the cells were taken meanwhile, this link may be stale; then the tag differs and the exchange fails.
            let next = cells.own.next_free.load(Ordering::Relaxed);
            match self.free.compare_exchange_weak(
                head,
                retagged(head, next),
                Ordering::Acquire,
                Ordering::Acquire,
            ) {
                Ok(_) => return Some((cells, None)),
                Err(now) => head = now,
            }
        }
        // Relaxed: the cells beyond `used` are zero and nobody has written to them.
        let taken = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                ((used as usize) < self.cells.len()).then_some(used + 1)
            });
        taken
            .ok()
            .map(|index| (&self.cells[index as usize], Some(index)))
    }

    /// Puts cells back. The caller must be their owner and use them no more.
    pub(crate) fn release(&self, cells: &Cells) {
        let offset = std::ptr::from_ref(cells) as usize - self.cells.as_ptr() as usize;
        let index = (offset / size_of::<Cells>()) as u32;
        debug_assert!(std::ptr::eq(&self.cells[index as usize], cells));
        let mut head = self.free.load(Ordering::Relaxed);
        loop {
            cells.own.next_free.store(head as u32, Ordering::Relaxed);
            // Release: pairs with the Acquire in `acquire`.
            match self.free.compare_exchange_weak(
                head,
                retagged(head, index + 1),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// All cells that were ever used.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Cells> {
        // Relaxed: cells that are taken right now may or may not be seen.
        self.cells[..self.used.load(Ordering::Relaxed) as usize].iter()
    }

    /// What was allocated and what was freed, over all cells. Exact if no thread allocates or frees meanwhile.
    ///
    /// Frees are summed first: a block that is freed was allocated before, so that live does not come out below zero on
    /// hardware that keeps stores in order. Elsewhere a sum taken in the middle of things may miss operations in flight.
    pub(crate) fn totals(&self) -> (Amount, Amount) {
        let freed = self.sum(Direction::Freed);
        (self.sum(Direction::Allocated), freed)
    }

    fn sum(&self, direction: Direction) -> Amount {
        self.iter()
            .map(|cells| cells.read(direction))
            .fold(Amount::default(), |sum, part| Amount {
                bytes: sum.bytes.wrapping_add(part.bytes),
                blocks: sum.blocks.wrapping_add(part.blocks),
            })
    }

    pub(crate) fn used(&self) -> u64 {
        u64::from(self.used.load(Ordering::Relaxed))
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.cells.len() as u64
    }
}

fn retagged(head: u64, index: u32) -> u64 {
    ((head >> 32).wrapping_add(1) << 32) | u64::from(index)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn cells_are_reused_with_their_totals() {
        let pool = Pool::new(4).unwrap();
        let (first, fresh) = pool.acquire().unwrap();
        assert_eq!(fresh, Some(0));
        first.rearm(Direction::Allocated, 100);
        first.count_alloc(10);
        pool.release(first);
        let (again, fresh) = pool.acquire().unwrap();
        assert!(std::ptr::eq(first, again) && fresh.is_none());
        again.count_alloc(5);
        assert_eq!(pool.totals().0.bytes, 15);
        assert_eq!(pool.used(), 1);
    }

    #[test]
    fn a_full_pool_gives_none_and_goes_on_after_a_release() {
        let pool = Pool::new(2).unwrap();
        let (first, _) = pool.acquire().unwrap();
        let (_second, _) = pool.acquire().unwrap();
        assert!(pool.acquire().is_none());
        pool.release(first);
        assert!(std::ptr::eq(pool.acquire().unwrap().0, first));
    }

    #[test]
    fn many_threads_taking_and_giving_lose_no_byte() {
        const THREADS: u64 = 8;
        const ROUNDS: u64 = 20_000;
        let pool = Pool::new(THREADS as u32).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..ROUNDS {
                        let (cells, _) = pool.acquire().expect("as many cells as threads");
                        if cells.count_alloc(3) {
                            cells.rearm(Direction::Allocated, 1000);
                        }
                        pool.release(cells);
                    }
                });
            }
        });
        assert_eq!(pool.totals().0.bytes, THREADS * ROUNDS * 3);
        assert_eq!(pool.totals().0.blocks, THREADS * ROUNDS);
        assert!(pool.used() <= THREADS);
    }
}

#[cfg(all(test, loom))]
mod models {
    use super::*;
    use loom::sync::Arc;

    /// Two threads take cells, count, and put them back; a third takes over. Whoever comes later sees all that was counted.
    #[test]
    fn cells_change_hands_without_loss() {
        loom::model(|| {
            let pool = Arc::new(Pool::new(2).unwrap());
            let threads: Vec<_> = (0..2)
                .map(|_| {
                    let pool = Arc::clone(&pool);
                    loom::thread::spawn(move || {
                        for _ in 0..2 {
                            let (cells, _) = pool.acquire().expect("as many cells as threads");
                            if cells.count_alloc(3) {
                                cells.rearm(Direction::Allocated, 4);
                            }
                            pool.release(cells);
                        }
                    })
                })
                .collect();
            for thread in threads {
                thread.join().unwrap();
            }
            assert_eq!(pool.totals().0.bytes, 12);
            assert_eq!(pool.totals().0.blocks, 4);
        });
    }

    /// A reader beside a counting owner sees a total that was true at some moment.
    #[test]
    fn totals_are_never_torn() {
        loom::model(|| {
            let pool = Arc::new(Pool::new(1).unwrap());
            let owner = Arc::clone(&pool);
            let thread = loom::thread::spawn(move || {
                let (cells, _) = owner.acquire().unwrap();
                cells.count_alloc(3);
                cells.rearm(Direction::Allocated, 10);
                cells.count_alloc(3);
            });
            if let Some(cells) = pool.iter().next()
                && let Some(total) = cells.try_read(Direction::Allocated)
            {
                assert!([0, 3, 6].contains(&total.bytes), "{total:?}");
            }
            thread.join().unwrap();
            assert_eq!(pool.totals().0.bytes, 6);
        });
    }
}

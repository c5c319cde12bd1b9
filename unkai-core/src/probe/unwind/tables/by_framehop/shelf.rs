//! Things that one thread at a time may use: whoever wants one takes any that is free, and nobody waits.

use std::fmt::{self, Debug, Formatter};

use crate::sync::{AtomicBool, Ordering};

/// loom watches who reaches what is in there.
#[cfg(loom)]
use loom::cell::UnsafeCell;
#[cfg(not(loom))]
use std::cell::UnsafeCell;

/// A fixed number of things.
#[derive(Debug)]
pub(super) struct Shelf<T> {
    slots: Vec<Slot<T>>,
}

struct Slot<T> {
    taken: AtomicBool,
    thing: UnsafeCell<T>,
}

// SAFETY: `thing` is only reached through `Taken`, of which there is one at a time for each slot (`taken`): it goes from
// thread to thread, and is never shared.
unsafe impl<T: Send> Sync for Slot<T> {}

impl<T> Debug for Slot<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}

impl<T> Shelf<T> {
    /// So many, each made by `make`.
    pub(super) fn new(count: usize, mut make: impl FnMut() -> T) -> Self {
        let mut slot = || Slot {
            taken: AtomicBool::new(false),
            thing: UnsafeCell::new(make()),
        };
        Self {
            slots: (0..count).map(|_| slot()).collect(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Takes one. `None` if all are in use.
    pub(super) fn take(&self) -> Option<Taken<'_, T>> {
        // Where a thread begins to look does not matter; the address of a local spreads threads a little.
        let here = 0u8;
        let start = std::ptr::from_ref(&here) as usize >> 16;
        (0..self.slots.len()).find_map(|offset| {
            let slot = &self.slots[(start + offset) % self.slots.len()];
            // Acquire: pairs with the Release in `drop`.
            let free = !slot.taken.load(Ordering::Relaxed)
                && slot
                    .taken
                    .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok();
            // Not `then_some`: a guard that is made and dropped would free another's slot.
            free.then(|| Taken { slot })
        })
    }
}

/// A thing, until it is dropped.
#[derive(Debug)]
pub(super) struct Taken<'s, T> {
    slot: &'s Slot<T>,
}

impl<T> Taken<'_, T> {
    pub(super) fn with<R>(&mut self, act: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: the pointer is that of a live `UnsafeCell`. This is the only `Taken` of the slot, borrowed exclusively, so no
        // other reference to the thing exists.
        let act = |thing: *mut T| act(unsafe { &mut *thing });
        #[cfg(loom)]
        return self.slot.thing.with_mut(act);
        #[cfg(not(loom))]
        act(self.slot.thing.get())
    }
}

impl<T> Drop for Taken<'_, T> {
    fn drop(&mut self) {
        // Release: pairs with the Acquire in `take`.
        self.slot.taken.store(false, Ordering::Release);
    }
}

#[cfg(all(test, loom))]
mod models {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    /// More threads than things: each thing is used by one at a time, who sees what the one before it did.
    #[test]
    fn a_thing_is_used_by_one_thread_at_a_time() {
        loom::model(|| {
            let shelf = Arc::new(Shelf::new(1, || 0));
            let others = [(), ()].map(|()| {
                let shelf = Arc::clone(&shelf);
                thread::spawn(move || {
                    let taken = shelf.take();
                    taken.map_or(0, |mut taken| {
                        taken.with(|uses| {
                            *uses += 1;
                            1
                        })
                    })
                })
            });
            let uses: u32 = others.map(|other| other.join().unwrap()).iter().sum();
            let mut taken = shelf.take().expect("it has come back");
            assert!(shelf.take().is_none());
            assert_eq!(taken.with(|count| *count), uses);
            assert!(uses >= 1);
        });
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_shares_a_few() {
        const THREADS: usize = 6;
        const USES: usize = 5_000;
        let shelf = Shelf::new(3, || 0_usize);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    let mut uses = 0;
                    while uses < USES {
                        match shelf.take() {
                            Some(mut taken) => {
                                taken.with(|count| {
                                    let before = *count;
                                    std::thread::yield_now();
                                    *count = before + 1;
                                });
                                uses += 1;
                            }
                            None => std::thread::yield_now(),
                        }
                    }
                });
            }
        });
        let mut all = Vec::new();
        while let Some(taken) = shelf.take() {
            all.push(taken);
        }
        assert_eq!(all.len(), shelf.len());
        let uses: usize = all.iter_mut().map(|taken| taken.with(|count| *count)).sum();
        assert_eq!(uses, THREADS * USES);
    }
}

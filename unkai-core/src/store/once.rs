//! A place that is filled once, and nobody waits for it.
//!
//! `OnceLock::set` takes a lock for as long as it writes. A thread that is interrupted there makes the others wait, inside an
//! allocation; in a child of a process that forked while another of its threads was there, they would wait for ever. Here a value is
//! complete, in memory of its own, before a single exchange shows it to anybody. Of several, the first is kept.

use std::cell::UnsafeCell;
use std::fmt::{self, Debug, Formatter};
use std::mem::MaybeUninit;
use std::ptr::null_mut;

use super::region::{Region, Zeroable};
use crate::sync::{AtomicPtr, Ordering};

/// Nothing, and from some moment on one value. Costs a page for the value.
pub(crate) struct Once<T: Send + Sync> {
    /// Null, or a value that this owns. Changes once.
    kept: AtomicPtr<Kept<T>>,
}

struct Kept<T> {
    value: T,
    /// What this very struct stands in.
    _memory: Region<Place<T>>,
}

/// Room for a value, and for the handle of the room.
struct Place<T>(UnsafeCell<MaybeUninit<Kept<T>>>);

impl<T> Default for Place<T> {
    fn default() -> Self {
        Self(UnsafeCell::new(MaybeUninit::uninit()))
    }
}

// SAFETY: bytes that may be anything may be zero; what may be uninitialised has no `Drop`.
unsafe impl<T> Zeroable for Place<T> {}

impl<T: Send + Sync> Once<T> {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Self {
            kept: AtomicPtr::new(null_mut()),
        }
    }

    /// loom's atomics are not made in constants.
    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self {
            kept: AtomicPtr::new(null_mut()),
        }
    }

    /// The value, if there is one.
    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        // Acquire: pairs with the Release in `set`, so that the value is complete.
        let kept = self.kept.load(Ordering::Acquire);
        // SAFETY: null, or what `set` has written and published: aligned, initialised, never written again, and there as long
        // as `self`. That `T` is `Sync` allows the reference, whoever made the value.
        let kept = unsafe { kept.as_ref() };
        kept.map(|kept| &kept.value)
    }

    /// Keeps `value` if it is the first, and drops it if not. Returns the value that is kept; `None` if there was no memory
    /// to keep the first in.
    pub(crate) fn set(&self, value: T) -> Option<&T> {
        let Some(memory) = Region::<Place<T>>::new(1) else {
            return self.get();
        };
        let kept = memory[0].0.get().cast::<Kept<T>>();
        let whole = Kept {
            value,
            _memory: memory,
        };
        // SAFETY: the memory is aligned and large enough for a `Kept<T>`, and nobody else knows of it. It stays where it is while
        // its handle moves.
        unsafe { kept.write(whole) };
        // Release: the value before the pointer to it. Relaxed: `get` looks again.
        let first =
            self.kept
                .compare_exchange(null_mut(), kept, Ordering::Release, Ordering::Relaxed);
        if first.is_err() {
            // SAFETY: written above, shown to nobody, and not used again: it moves out, and takes its memory with it.
            drop(unsafe { kept.read() });
        }
        self.get()
    }
}

impl<T: Send + Sync> Drop for Once<T> {
    fn drop(&mut self) {
        // Relaxed: whoever drops this sees what was done to it.
        let kept = self.kept.load(Ordering::Relaxed);
        if !kept.is_null() {
            // SAFETY: written by `set` and owned by this; borrows of it have ended with those of `self`. It moves out, so that its
            // memory can go after it.
            drop(unsafe { kept.read() });
        }
    }
}

impl<T: Send + Sync + Debug> Debug for Once<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Once").field(&self.get()).finish()
    }
}

/// A value that tells when it is dropped, and of which both halves are written apart.
#[cfg(test)]
mod told {
    use crate::sync::{AtomicU64, Ordering};

    pub(super) struct Told<'c> {
        pub(super) one: u64,
        /// An atomic, for loom sees no other memory.
        pub(super) other: AtomicU64,
        drops: &'c AtomicU64,
    }

    impl<'c> Told<'c> {
        pub(super) fn new(number: u64, drops: &'c AtomicU64) -> Self {
            let told = Self {
                one: number,
                other: AtomicU64::new(0),
                drops,
            };
            told.other.store(number, Ordering::Relaxed);
            told
        }

        /// The number, if it is whole.
        pub(super) fn number(&self) -> u64 {
            assert_eq!(self.one, self.other.load(Ordering::Relaxed));
            self.one
        }
    }

    impl Drop for Told<'_> {
        fn drop(&mut self) {
            self.number();
            self.drops.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::told::Told;
    use super::*;
    use crate::store::region::refused;
    use crate::sync::AtomicU64;
    use std::sync::Barrier;

    #[test]
    fn the_first_value_is_kept_and_each_is_dropped_once() {
        let drops = AtomicU64::new(0);
        let once = Once::new();
        assert!(once.get().is_none());
        for number in 1..=3 {
            assert_eq!(once.set(Told::new(number, &drops)).unwrap().number(), 1);
        }
        assert_eq!(drops.load(Ordering::Relaxed), 2);
        drop(once);
        assert_eq!(drops.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn without_memory_nothing_is_kept_and_the_next_may_be() {
        let drops = AtomicU64::new(0);
        let once = Once::new();
        refused::refuse(1..2);
        assert!(once.set(Told::new(1, &drops)).is_none());
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        assert_eq!(once.set(Told::new(2, &drops)).unwrap().number(), 2);
        refused::refuse(1..2);
        assert_eq!(once.set(Told::new(3, &drops)).unwrap().number(), 2);
        refused::refuse(0..0);
    }

    #[test]
    fn threads_that_set_at_once_agree() {
        const THREADS: u64 = 4;
        const ROUNDS: u64 = if cfg!(miri) { 10 } else { 2_000 };
        let start = Barrier::new(THREADS as usize);
        let drops = AtomicU64::new(0);
        let places: Vec<_> = (0..ROUNDS).map(|_| Once::new()).collect();
        let seen: Vec<Vec<u64>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (1..=THREADS)
                .map(|number| {
                    let (start, drops, places) = (&start, &drops, &places);
                    scope.spawn(move || {
                        start.wait();
                        let mine = || Told::new(number, drops);
                        let seen = places
                            .iter()
                            .map(|once: &Once<_>| once.set(mine()).unwrap().number());
                        seen.collect()
                    })
                })
                .collect();
            let joined = threads.into_iter().map(|thread| thread.join().unwrap());
            joined.collect()
        });
        assert!(seen.iter().all(|seen| *seen == seen_by(&places)));
        assert_eq!(drops.load(Ordering::Relaxed), (THREADS - 1) * ROUNDS);
        drop(places);
        assert_eq!(drops.load(Ordering::Relaxed), THREADS * ROUNDS);
    }

    fn seen_by(places: &[Once<Told<'_>>]) -> Vec<u64> {
        let number = |once: &Once<Told<'_>>| once.get().unwrap().number();
        places.iter().map(number).collect()
    }
}

#[cfg(all(test, loom))]
mod models {
    use super::told::Told;
    use super::*;
    use crate::sync::AtomicU64;
    use loom::sync::Arc;

    /// Two threads set while a third looks: all see the same value, whole, and the other is dropped once.
    #[test]
    fn all_see_the_one_value_that_is_kept() {
        loom::model(|| {
            let drops: &'static AtomicU64 = Box::leak(Box::new(AtomicU64::new(0)));
            let once = Arc::new(Once::new());
            let other = Arc::clone(&once);
            let sets =
                loom::thread::spawn(move || other.set(Told::new(1, drops)).unwrap().number());
            let other = Arc::clone(&once);
            let looks = loom::thread::spawn(move || other.get().map(Told::number));
            let mine = once.set(Told::new(2, drops)).unwrap().number();
            let theirs = sets.join().unwrap();
            assert_eq!(mine, theirs);
            assert!(looks.join().unwrap().is_none_or(|seen| seen == mine));
            assert_eq!(drops.load(Ordering::Relaxed), 1);
            drop(once);
            assert_eq!(drops.load(Ordering::Relaxed), 2);
        });
    }
}

//! A value that anybody may read at any time, until the end of the process, and that a newer one may replace.

use crate::sync::{AtomicPtr, Ordering};

/// Nothing, or the value that was published last. Those before it stay, for a walk may be using one.
#[derive(Debug)]
pub(super) struct Latest<T: Send + Sync + 'static> {
    /// Null, or a value that was leaked.
    value: AtomicPtr<T>,
}

impl<T: Send + Sync> Latest<T> {
    #[cfg(not(loom))]
    pub(super) const fn new() -> Self {
        Self {
            value: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    /// loom's atomics are not made in constants.
    #[cfg(loom)]
    pub(super) fn new() -> Self {
        Self {
            value: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    #[inline]
    pub(super) fn get(&self) -> Option<&'static T> {
        // Acquire: pairs with the Release in `publish`.
        let value = self.value.load(Ordering::Acquire);
        // SAFETY: null, or a value that was leaked by `publish`: aligned, initialised, only ever shared and never freed. `T` is
        // `Sync`, so threads may share it.
        unsafe { value.as_ref() }
    }

    /// Shows `value` to all. Allocates, and never gives that back.
    pub(super) fn publish(&self, value: T) {
        // Release: pairs with the Acquire in `get`, so that the value is complete.
        self.value
            .store(Box::leak(Box::new(value)), Ordering::Release);
    }
}

#[cfg(all(test, loom))]
mod models {
    use super::*;
    use crate::sync::AtomicU32;
    use loom::sync::Arc;
    use loom::thread;

    /// A value that is complete once it was stored to.
    fn complete(number: u32) -> AtomicU32 {
        let value = AtomicU32::new(0);
        value.store(number, Ordering::Relaxed);
        value
    }

    /// A reader finds nothing, or a value that is complete, and never an older one after a newer one.
    #[test]
    fn what_is_found_is_complete() {
        loom::model(|| {
            let latest = Arc::new(Latest::<AtomicU32>::new());
            let reader = {
                let latest = Arc::clone(&latest);
                thread::spawn(move || {
                    let read = || latest.get().map(|value| value.load(Ordering::Relaxed));
                    let (first, second) = (read(), read());
                    assert!(first <= second, "{first:?}, then {second:?}");
                    assert_ne!(first, Some(0), "not complete");
                })
            };
            latest.publish(complete(1));
            latest.publish(complete(2));
            reader.join().unwrap();
            let last = latest.get().map(|value| value.load(Ordering::Relaxed));
            assert_eq!(last, Some(2));
        });
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// While longer and longer lists are published, readers find one that is whole.
    #[test]
    fn a_crowd_finds_whole_lists() {
        const LISTS: usize = 500;
        let latest = Latest::new();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let mut before = 0;
                    while before < LISTS {
                        let list: &Vec<usize> =
                            latest.get().map_or(const { &Vec::new() }, |list| list);
                        let length = list.len();
                        assert!(length >= before);
                        assert!(list.iter().all(|&number| number == length));
                        before = length;
                    }
                });
            }
            scope.spawn(|| (1..=LISTS).for_each(|length| latest.publish(vec![length; length])));
        });
    }
}

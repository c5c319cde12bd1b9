//! Memory for unkai's own tables, beside the program's heap.
//!
//! A [`Region`] is a fixed array that starts as zero bytes. It is mapped from the operating system directly, so that a
//! table can be made inside an allocation without another allocation, and pages that were never touched cost nothing.
//! A region never moves and never shrinks: an index into it is good for as long as it lives.

#[cfg(not(loom))]
pub(crate) use mapped::Region;
#[cfg(loom)]
pub(crate) use modelled::Region;

/// Types for which all-zero bytes are a valid, empty value.
///
/// # Safety
/// The type must be valid when all its bytes are zero, and must not need `Drop`.
pub(crate) unsafe trait Zeroable: Default {}

// SAFETY: an atomic integer of zero is valid, and has no `Drop`.
unsafe impl Zeroable for crate::sync::AtomicU8 {}
// SAFETY: as above.
unsafe impl Zeroable for crate::sync::AtomicU64 {}

#[cfg(not(loom))]
mod mapped {
    use std::marker::PhantomData;
    use std::ops::Deref;

    use memmap2::{MmapMut, MmapOptions};

    use super::Zeroable;

    /// A fixed array of `T`, zero at first, mapped from the operating system.
    #[derive(Debug)]
    pub(crate) struct Region<T> {
        map: MmapMut,
        length: usize,
        items: PhantomData<T>,
    }

    impl<T: Zeroable> Region<T> {
        /// Maps `length` items. `None` if the operating system refuses.
        pub(crate) fn new(length: usize) -> Option<Self> {
            const { assert!(!std::mem::needs_drop::<T>() && align_of::<T>() <= 4096) }
            #[cfg(test)]
            if super::refused::is_next() {
                return None;
            }
            let bytes = length.checked_mul(size_of::<T>())?.max(1);
            let map = MmapOptions::new().len(bytes).map_anon().ok()?;
            // A table is touched here and there: with huge pages, each touch would take 2 MiB. Advice may be refused.
            #[cfg(target_os = "linux")]
            let _ = map.advise(memmap2::Advice::NoHugePage);
            Some(Self {
                map,
                length,
                items: PhantomData,
            })
        }
    }

    impl<T: Zeroable> Deref for Region<T> {
        type Target = [T];

        #[inline]
        fn deref(&self) -> &[T] {
            let first = self.map.as_ptr().cast::<T>();
            // SAFETY: the mapping is page-aligned, which suffices for `T` (asserted in `new`), holds `length` items and
            // lives as long as `self`. Fresh pages are zero, which is a valid `T` (`Zeroable`). Only shared references to
            // it are ever made, so all later writes go through the interior mutability of `T`.
            unsafe { std::slice::from_raw_parts(first, self.length) }
        }
    }

    // SAFETY: a region owns its mapping and hands out `&T` only; it can move to another thread if `T` can.
    unsafe impl<T: Send> Send for Region<T> {}
    // SAFETY: shared access to a region is shared access to its items.
    unsafe impl<T: Sync> Sync for Region<T> {}
}

#[cfg(loom)]
mod modelled {
    use std::ops::Deref;

    use super::Zeroable;

    /// The stand-in for a mapping while loom checks a model: its atomics must be made one by one.
    #[derive(Debug)]
    pub(crate) struct Region<T> {
        items: Vec<T>,
    }

    impl<T: Zeroable> Region<T> {
        pub(crate) fn new(length: usize) -> Option<Self> {
            Some(Self {
                items: (0..length).map(|_| T::default()).collect(),
            })
        }
    }

    impl<T> Deref for Region<T> {
        type Target = [T];

        fn deref(&self) -> &[T] {
            &self.items
        }
    }
}

/// Mappings that the system refuses because a test wants it.
#[cfg(all(test, not(loom)))]
pub(crate) mod refused {
    use std::cell::Cell;
    use std::ops::Range;

    thread_local! {
        static MAPPED: Cell<u64> = const { Cell::new(0) };
        static REFUSED: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
    }

    /// From now on this thread's mappings are numbered from 1 on, and those with a number in this range are refused.
    pub(crate) fn refuse(numbers: Range<u64>) {
        MAPPED.set(0);
        REFUSED.set((numbers.start, numbers.end));
    }

    /// How many were asked for since then.
    pub(crate) fn asked_for() -> u64 {
        MAPPED.get()
    }

    pub(super) fn is_next() -> bool {
        let number = MAPPED.get() + 1;
        MAPPED.set(number);
        let (start, end) = REFUSED.get();
        (start..end).contains(&number)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sync::{AtomicU64, Ordering};

    #[test]
    fn a_region_starts_as_zeros_and_keeps_what_is_stored() {
        let region = Region::<AtomicU64>::new(10_000).unwrap();
        assert!(region.iter().all(|item| item.load(Ordering::Relaxed) == 0));
        region[9_999].store(7, Ordering::Relaxed);
        assert_eq!(region[9_999].load(Ordering::Relaxed), 7);
    }

    #[test]
    fn a_region_that_cannot_be_mapped_is_none() {
        assert!(Region::<AtomicU64>::new(usize::MAX / 2).is_none());
        assert!(Region::<AtomicU64>::new(1 << 58).is_none());
    }
}

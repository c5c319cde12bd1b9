//! An inner allocator that counts by itself how many bytes are out, for each level of a tree that it stands below.
//!
//! The count rises after unkai has charged and falls before unkai refunds: it is never above what is charged. The most is
//! taken from the value that each addition returns, so that no moment is missed between two looks.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use unkai_allocator::api::{AllocError, Allocator};

/// The bytes that are out at one level.
#[derive(Debug, Default)]
pub(crate) struct Out {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Out {
    fn add(&self, bytes: usize) {
        let now = self.now.fetch_add(bytes, Ordering::SeqCst) + bytes;
        self.most.fetch_max(now, Ordering::SeqCst);
    }

    fn subtract(&self, bytes: usize) {
        let before = self.now.fetch_sub(bytes, Ordering::SeqCst);
        assert!(before >= bytes, "more came back than was out");
    }

    pub(crate) fn now(&self) -> usize {
        self.now.load(Ordering::SeqCst)
    }

    /// The most that were ever out at once.
    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

/// The system's allocator, with its bytes counted at each of some levels.
#[derive(Clone, Debug)]
pub(crate) struct Counting {
    levels: Arc<[Arc<Out>]>,
}

impl Counting {
    pub(crate) fn at(levels: impl IntoIterator<Item = Arc<Out>>) -> Self {
        Self {
            levels: levels.into_iter().collect(),
        }
    }

    fn add(&self, bytes: usize) {
        self.levels.iter().for_each(|level| level.add(bytes));
    }

    fn subtract(&self, bytes: usize) {
        self.levels.iter().for_each(|level| level.subtract(bytes));
    }

    /// Does what may fail, with `bytes` counted as out before; and not, if it fails.
    fn with(&self, bytes: usize, serve: impl FnOnce() -> *mut u8) -> *mut u8 {
        self.add(bytes);
        let ptr = serve();
        if ptr.is_null() {
            self.subtract(bytes);
        }
        ptr
    }
}

// SAFETY: forwards to an allocator that keeps the contract, and counts beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        self.with(layout.size(), || unsafe { System.alloc(layout) })
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(ptr, layout) };
        self.subtract(layout.size());
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let added = size.saturating_sub(layout.size());
        // SAFETY: the caller's promise.
        let ptr = self.with(added, || unsafe { System.realloc(ptr, layout, size) });
        if !ptr.is_null() {
            self.subtract(layout.size().saturating_sub(size));
        }
        ptr
    }
}

// SAFETY: blocks are the system's, which any clone knows. The tests ask for no block of zero bytes, and keep alignments.
unsafe impl Allocator for Counting {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        assert_ne!(layout.size(), 0);
        // SAFETY: the size is not zero.
        let ptr = unsafe { GlobalAlloc::alloc(self, layout) };
        block(ptr, layout.size())
    }

    unsafe fn deallocate(&self, ptr: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise: the block came from `alloc` with this layout.
        unsafe { self.dealloc(ptr.as_ptr(), layout) };
    }

    unsafe fn grow(
        &self,
        ptr: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        assert_eq!(old.align(), new.align());
        // SAFETY: as above; the new size is no smaller than the old, and so not zero, and fits, as it came from a layout.
        let ptr = unsafe { self.realloc(ptr.as_ptr(), old, new.size()) };
        block(ptr, new.size())
    }

    unsafe fn shrink(
        &self,
        ptr: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        assert_eq!(old.align(), new.align());
        assert_ne!(new.size(), 0);
        // SAFETY: as above; the new size is not zero, and fits.
        let ptr = unsafe { self.realloc(ptr.as_ptr(), old, new.size()) };
        block(ptr, new.size())
    }
}

fn block(ptr: *mut u8, size: usize) -> Result<NonNull<[u8]>, AllocError> {
    let ptr = NonNull::new(ptr).ok_or(AllocError)?;
    Ok(NonNull::slice_from_raw_parts(ptr, size))
}

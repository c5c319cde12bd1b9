//! An allocator that a thread can forbid itself to use.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

thread_local! {
    static COUNTS: Cell<bool> = const { Cell::new(false) };
    static REFUSES: Cell<bool> = const { Cell::new(false) };
}

/// Around the allocator under test.
#[derive(Debug)]
pub(crate) struct Strict<A> {
    inner: A,
    requests: AtomicUsize,
}

impl<A> Strict<A> {
    pub(crate) const fn new(inner: A) -> Self {
        Self {
            inner,
            requests: AtomicUsize::new(0),
        }
    }

    /// Does some work on this thread, and counts the requests of it, frees included.
    pub(crate) fn requests_of<R>(&self, work: impl FnOnce() -> R) -> (R, usize) {
        let before = self.requests.load(SeqCst);
        COUNTS.set(true);
        let result = work();
        COUNTS.set(false);
        (result, self.requests.load(SeqCst) - before)
    }

    /// Does some work on this thread, which gets no memory for it. (The threads of the test runner do.)
    pub(crate) fn without_memory<R>(&self, work: impl FnOnce() -> R) -> R {
        REFUSES.set(true);
        let result = work();
        REFUSES.set(false);
        result
    }

    fn refuses(&self) -> bool {
        self.note();
        REFUSES.get()
    }

    fn note(&self) {
        if COUNTS.get() {
            self.requests.fetch_add(1, SeqCst);
        }
    }
}

// SAFETY: every call is handed to the allocator under test as it came, or answered with null.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Strict<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.refuses() {
            return ptr::null_mut();
        }
        // SAFETY: the caller's promise is passed on.
        unsafe { self.inner.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.note();
        // SAFETY: the caller's promise is passed on.
        unsafe { self.inner.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if self.refuses() {
            return ptr::null_mut();
        }
        // SAFETY: the caller's promise is passed on.
        unsafe { self.inner.realloc(block, layout, new_size) }
    }
}

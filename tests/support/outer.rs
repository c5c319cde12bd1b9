//! An allocator around the one under test: counts what the program asks for, independently, and notices nesting.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// Bytes and blocks of this thread while it works aside.
    static ASIDE: Cell<Option<[i64; 2]>> = const { Cell::new(None) };
}

/// Whether this thread is inside the allocator under test. A handler of signals may ask.
#[allow(dead_code, reason = "not all who share this file ask")]
pub fn is_inside() -> bool {
    DEPTH.get() > 0
}

/// Counts every request that succeeds. A `realloc` is a free and an allocation.
#[derive(Debug)]
pub struct Outer<A> {
    /// The allocator under test.
    pub inner: A,
    allocated: [AtomicU64; 2],
    freed: [AtomicU64; 2],
    nested: AtomicU64,
}

/// Bytes and blocks.
pub type Count = (u64, u64);

impl<A> Outer<A> {
    /// Around `inner`.
    pub const fn new(inner: A) -> Self {
        Self {
            inner,
            allocated: [AtomicU64::new(0), AtomicU64::new(0)],
            freed: [AtomicU64::new(0), AtomicU64::new(0)],
            nested: AtomicU64::new(0),
        }
    }

    /// Everything allocated.
    pub fn allocated(&self) -> Count {
        (
            self.allocated[0].load(SeqCst),
            self.allocated[1].load(SeqCst),
        )
    }

    /// Everything freed.
    pub fn freed(&self) -> Count {
        (self.freed[0].load(SeqCst), self.freed[1].load(SeqCst))
    }

    /// Work that counts with what it leaves behind only, as `unkai::aside` and whatever makes a snapshot or a report.
    pub fn aside<R>(&self, work: impl FnOnce(&A) -> R) -> R {
        assert_eq!(ASIDE.replace(Some([0, 0])), None);
        let result = work(&self.inner);
        let left = ASIDE.take().expect("set above");
        for ((allocated, freed), left) in self.allocated.iter().zip(&self.freed).zip(left) {
            allocated.fetch_add(left.max(0) as u64, SeqCst);
            freed.fetch_add((-left).max(0) as u64, SeqCst);
        }
        result
    }

    /// Requests that were made while this thread was already inside the allocator under test.
    pub fn nested(&self) -> u64 {
        self.nested.load(SeqCst)
    }

    fn inside<R>(&self, action: impl FnOnce() -> R) -> R {
        let depth = DEPTH.get();
        if depth > 0 {
            self.nested.fetch_add(1, SeqCst);
        }
        DEPTH.set(depth + 1);
        let result = action();
        DEPTH.set(depth);
        result
    }
}

/// Counts a block, which is `sign` times as much live memory.
fn count(counters: &[AtomicU64; 2], bytes: usize, sign: i64) {
    if let Some([live_bytes, live_blocks]) = ASIDE.get() {
        ASIDE.set(Some([live_bytes + sign * bytes as i64, live_blocks + sign]));
    } else {
        counters[0].fetch_add(bytes as u64, SeqCst);
        counters[1].fetch_add(1, SeqCst);
    }
}

// SAFETY: hands every call over as it came.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Outer<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: passed on.
        let block = self.inside(|| unsafe { self.inner.alloc(layout) });
        if !block.is_null() {
            count(&self.allocated, layout.size(), 1);
        }
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: passed on.
        let block = self.inside(|| unsafe { self.inner.alloc_zeroed(layout) });
        if !block.is_null() {
            count(&self.allocated, layout.size(), 1);
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        self.inside(|| unsafe { self.inner.dealloc(block, layout) });
        count(&self.freed, layout.size(), -1);
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: passed on.
        let resized = self.inside(|| unsafe { self.inner.realloc(block, layout, new_size) });
        if !resized.is_null() {
            count(&self.freed, layout.size(), -1);
            count(&self.allocated, new_size, 1);
        }
        resized
    }
}

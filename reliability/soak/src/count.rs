//! An allocator around the one under test, which counts by itself what the program asks for.
//!
//! As `tests/support/outer.rs`, but each thread counts on a line of its own: half an hour of load must not be half an hour
//! of waiting for one counter.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// Bytes and blocks, allocated and freed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Bytes and blocks.
    pub allocated: [u64; 2],
    /// Bytes and blocks.
    pub freed: [u64; 2],
}

/// Counts every request that succeeds. A `realloc` is a free and an allocation.
#[derive(Debug)]
pub struct Counted<A> {
    /// The allocator under test.
    pub inner: A,
    lines: [Line; LINES],
    nested: AtomicU64,
}

/// Threads share a line when there are more of them: sums stay exact.
const LINES: usize = 64;

/// Counters that few threads write to.
#[derive(Debug)]
#[repr(align(128))]
struct Line {
    allocated: [AtomicU64; 2],
    freed: [AtomicU64; 2],
}

thread_local! {
    static LINE: Cell<usize> = const { Cell::new(usize::MAX) };
    static IS_INSIDE: Cell<bool> = const { Cell::new(false) };
    /// Live bytes and blocks that this thread has added while it works aside.
    static ASIDE: Cell<Option<[i64; 2]>> = const { Cell::new(None) };
}

static NEXT: AtomicUsize = AtomicUsize::new(0);

impl<A> Counted<A> {
    /// Around `inner`.
    pub const fn new(inner: A) -> Self {
        Self {
            inner,
            lines: [const { Line::new() }; LINES],
            nested: AtomicU64::new(0),
        }
    }

    /// Everything so far. Exact while no thread allocates.
    pub fn count(&self) -> Count {
        let sum = |of: fn(&Line) -> &AtomicU64| {
            let counts = self.lines.iter().map(|line| of(line).load(Relaxed));
            counts.fold(0, u64::wrapping_add)
        };
        Count {
            allocated: [
                sum(|line| &line.allocated[0]),
                sum(|line| &line.allocated[1]),
            ],
            freed: [sum(|line| &line.freed[0]), sum(|line| &line.freed[1])],
        }
    }

    /// Requests that were made from within the allocator under test.
    pub fn nested(&self) -> u64 {
        self.nested.load(Relaxed)
    }

    /// Counts what was asked of `inner` directly and given back: bytes and blocks.
    pub fn add_what_came_and_went(&self, [bytes, blocks]: [u64; 2]) {
        let line = self.line();
        for counters in [&line.allocated, &line.freed] {
            counters[0].fetch_add(bytes, Relaxed);
            counters[1].fetch_add(blocks, Relaxed);
        }
    }

    /// Work that unkai counts with what it leaves behind only; so does this count.
    pub fn aside<R>(&self, work: impl FnOnce() -> R) -> R {
        assert_eq!(ASIDE.replace(Some([0, 0])), None);
        let result = unkai::aside(work);
        let [bytes, blocks] = ASIDE.take().expect("set above");
        let line = self.line();
        for (index, left) in [bytes, blocks].into_iter().enumerate() {
            line.allocated[index].fetch_add(left.max(0) as u64, Relaxed);
            line.freed[index].fetch_add((-left).max(0) as u64, Relaxed);
        }
        result
    }

    fn line(&self) -> &Line {
        let mut index = LINE.get();
        if index == usize::MAX {
            index = NEXT.fetch_add(1, Relaxed) % LINES;
            LINE.set(index);
        }
        &self.lines[index]
    }

    fn inside<R>(&self, action: impl FnOnce() -> R) -> R {
        if IS_INSIDE.replace(true) {
            self.nested.fetch_add(1, Relaxed);
        }
        let result = action();
        IS_INSIDE.set(false);
        result
    }

    fn allocated(&self, bytes: usize) {
        count(&self.line().allocated, bytes, 1);
    }

    fn freed(&self, bytes: usize) {
        count(&self.line().freed, bytes, -1);
    }
}

/// Counts a block, which is `sign` times as much live memory.
fn count(counters: &[AtomicU64; 2], bytes: usize, sign: i64) {
    if let Some([live_bytes, live_blocks]) = ASIDE.get() {
        ASIDE.set(Some([live_bytes + sign * bytes as i64, live_blocks + sign]));
    } else {
        counters[0].fetch_add(bytes as u64, Relaxed);
        counters[1].fetch_add(1, Relaxed);
    }
}

impl Line {
    const fn new() -> Self {
        Self {
            allocated: [AtomicU64::new(0), AtomicU64::new(0)],
            freed: [AtomicU64::new(0), AtomicU64::new(0)],
        }
    }
}

impl Count {
    /// Bytes and blocks that are live.
    pub fn live(&self) -> [i64; 2] {
        [0, 1].map(|index| self.allocated[index].wrapping_sub(self.freed[index]) as i64)
    }
}

// SAFETY: hands every call over as it came.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Counted<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: passed on.
        let block = self.inside(|| unsafe { self.inner.alloc(layout) });
        if !block.is_null() {
            self.allocated(layout.size());
        }
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: passed on.
        let block = self.inside(|| unsafe { self.inner.alloc_zeroed(layout) });
        if !block.is_null() {
            self.allocated(layout.size());
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        self.inside(|| unsafe { self.inner.dealloc(block, layout) });
        self.freed(layout.size());
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: passed on.
        let resized = self.inside(|| unsafe { self.inner.realloc(block, layout, new_size) });
        if !resized.is_null() {
            self.freed(layout.size());
            self.allocated(new_size);
        }
        resized
    }
}

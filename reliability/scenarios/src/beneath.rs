//! An allocator beneath unkai, which tells when it is at work: what happens then does not happen to unkai.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;

thread_local! {
    static AT_WORK: Cell<bool> = const { Cell::new(false) };
}

/// The allocator, and a flag around it.
#[derive(Debug)]
pub struct Beneath<A>(pub A);

/// Whether this thread is in that allocator. A handler of signals may ask.
pub(crate) fn is_at_work() -> bool {
    AT_WORK.get()
}

fn at_work<R>(action: impl FnOnce() -> R) -> R {
    AT_WORK.set(true);
    let result = action();
    AT_WORK.set(false);
    result
}

// SAFETY: hands every call over as it came.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Beneath<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: passed on.
        at_work(|| unsafe { self.0.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: passed on.
        at_work(|| unsafe { self.0.alloc_zeroed(layout) })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        at_work(|| unsafe { self.0.dealloc(block, layout) });
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: passed on.
        at_work(|| unsafe { self.0.realloc(block, layout, new_size) })
    }
}

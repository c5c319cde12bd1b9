//! mimalloc behind a wrapper that does nothing: what any wrapper could reach at best.

use std::alloc::{GlobalAlloc, Layout};

use mimalloc::MiMalloc;
use unkai_peers::child::{nothing_to_record, serve};

#[global_allocator]
static HEAP: PassThrough<MiMalloc> = PassThrough(MiMalloc);

fn main() {
    serve(nothing_to_record)
}

struct PassThrough<A>(A);

// SAFETY: all four methods are the inner allocator's.
unsafe impl<A: GlobalAlloc> GlobalAlloc for PassThrough<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { self.0.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        unsafe { self.0.realloc(block, layout, size) }
    }
}

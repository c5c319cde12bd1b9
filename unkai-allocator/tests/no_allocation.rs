//! Counting takes nothing from the global allocator. A process of its own, as it has a global allocator of its own.
#![cfg_attr(feature = "nightly", feature(allocator_api))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr::NonNull;

use unkai_allocator::Unkai;
use unkai_allocator::api::{AllocError, Allocator};

/// Counts the calls of this thread.
struct Counting;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static GLOBAL: Counting = Counting;

fn count() {
    // A thread that ends has no count any more.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
}

// SAFETY: forwards to an allocator that keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(ptr, layout) }
    }
}

/// The system's allocator, past the global one. Blocks of zero bytes are not supported.
#[derive(Clone)]
struct Direct;

// SAFETY: blocks are the system's, and any copy of `Direct` is as good as another.
unsafe impl Allocator for Direct {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        assert_ne!(layout.size(), 0);
        // SAFETY: the size is not zero.
        let ptr = NonNull::new(unsafe { System.alloc(layout) }).ok_or(AllocError)?;
        Ok(NonNull::slice_from_raw_parts(ptr, layout.size()))
    }
    unsafe fn deallocate(&self, ptr: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(ptr.as_ptr(), layout) }
    }
}

#[test]
fn charging_allocates_nothing() {
    let calls = || CALLS.with(Cell::get);
    // The first scope of a process asks for the number of processors; the first charge of a thread makes its record.
    let _ = Unkai::new(Direct).allocate(Layout::new::<u64>()).unwrap();
    let before = calls();
    let unkai = Unkai::new(Direct).child("child").unwrap();
    assert!(calls() - before < 16, "the scopes, their tree and paths");

    let before = calls();
    let other = unkai.clone();
    let (small, large) = (Layout::new::<[u64; 8]>(), Layout::new::<[u64; 80]>());
    for _ in 0..100 {
        let block = unkai.allocate(small).unwrap().cast();
        // SAFETY: here and below, the block came from this allocator or its clone with the layout named first.
        let block = unsafe { other.grow(block, small, large) }.unwrap().cast();
        // SAFETY: as above.
        let block = unsafe { unkai.shrink(block, large, small) }.unwrap().cast();
        assert_eq!(unkai.usage().bytes, 64);
        // SAFETY: as above.
        unsafe { other.deallocate(block, small) };
    }
    drop(other);
    assert_eq!(calls() - before, 0);
    assert_eq!(unkai.usage().peak_bytes, 640);
}

//! The first thing that a thread does is to free a block of another thread's.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering::SeqCst};

use crate::heap::{Heap, totals_are_exact};

const THREADS: usize = 200;

/// What the next thread frees. In a static, so that handing it over takes no memory.
static BLOCK: AtomicPtr<[u8; 4000]> = AtomicPtr::new(ptr::null_mut());

pub(crate) fn play(heap: &'static dyn Heap) {
    for _ in 0..THREADS {
        BLOCK.store(Box::into_raw(Box::new([1; 4000])), SeqCst);
        // By the system's call: a thread of std's allocates its name and handle before it gets to us.
        let mut thread = 0;
        // SAFETY: `free_it` is a function for a thread; it takes no argument.
        let started =
            unsafe { libc::pthread_create(&mut thread, ptr::null(), free_it, ptr::null_mut()) };
        assert_eq!(started, 0, "no thread");
        // SAFETY: started above, joined once.
        assert_eq!(unsafe { libc::pthread_join(thread, ptr::null_mut()) }, 0);
        assert!(BLOCK.load(SeqCst).is_null());
    }
    totals_are_exact(heap, "after threads that only free");
}

extern "C" fn free_it(_: *mut libc::c_void) -> *mut libc::c_void {
    let block = BLOCK.swap(ptr::null_mut(), SeqCst);
    // SAFETY: from `Box::into_raw`, and taken once.
    drop(unsafe { Box::from_raw(block) });
    ptr::null_mut()
}

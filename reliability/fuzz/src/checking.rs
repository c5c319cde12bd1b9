//! An inner allocator that knows every block it gave, and panics at the first thing that is wrong with one that comes back.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{LazyLock, Mutex};

/// Keeps the layout of every block. What it keeps is beside the heap under test.
#[derive(Debug)]
pub struct Checking {
    blocks: LazyLock<Mutex<HashMap<usize, Layout>>>,
    refuses: AtomicBool,
}

impl Checking {
    /// One that has given nothing yet.
    #[expect(clippy::new_without_default, reason = "nobody needs a default one")]
    pub const fn new() -> Self {
        Self {
            blocks: LazyLock::new(Mutex::default),
            refuses: AtomicBool::new(false),
        }
    }

    /// Blocks that were given and not taken back.
    pub fn live_blocks(&self) -> usize {
        self.blocks.lock().expect("no check failed").len()
    }

    /// Whether all is refused from now on.
    pub fn refuse(&self, all: bool) {
        self.refuses.store(all, SeqCst);
    }

    fn give(&self, block: *mut u8, layout: Layout) -> *mut u8 {
        let mut blocks = self.blocks.lock().expect("no check failed");
        if !block.is_null() {
            assert_eq!(blocks.insert(block as usize, layout), None, "given twice");
        }
        block
    }

    fn take(&self, block: *mut u8, layout: Layout) {
        let mut blocks = self.blocks.lock().expect("no check failed");
        let given = blocks.remove(&(block as usize));
        assert_eq!(given, Some(layout), "not what was given");
    }
}

// SAFETY: hands every call over, or refuses it.
unsafe impl GlobalAlloc for Checking {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.refuses.load(SeqCst) {
            return std::ptr::null_mut();
        }
        // SAFETY: passed on.
        let block = unsafe { System.alloc(layout) };
        if !block.is_null() {
            // What somebody takes for zeroes is none.
            // SAFETY: within the block.
            unsafe { block.write_bytes(0xa5, layout.size().min(4096)) };
        }
        self.give(block, layout)
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if self.refuses.load(SeqCst) {
            return std::ptr::null_mut();
        }
        // SAFETY: passed on.
        self.give(unsafe { System.alloc_zeroed(layout) }, layout)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.take(block, layout);
        // SAFETY: passed on.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if self.refuses.load(SeqCst) {
            return std::ptr::null_mut();
        }
        self.take(block, layout);
        let wanted = Layout::from_size_align(new_size, layout.align()).expect("a layout");
        // SAFETY: passed on.
        let resized = unsafe { System.realloc(block, layout, new_size) };
        if resized.is_null() {
            self.give(block, layout);
        }
        self.give(resized, wanted)
    }
}

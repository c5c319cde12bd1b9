//! A block of the global allocator, taken and given back by hand.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::hint::black_box;

/// A block of memory. Lost if it is dropped, like any block that nobody gives back.
#[derive(Debug)]
pub(super) struct Block {
    address: *mut u8,
    size: usize,
}

// SAFETY: a block belongs to whoever has it, and the heap takes blocks back on any thread.
unsafe impl Send for Block {}

impl Block {
    /// A new block of `size` bytes, of which there is at least one, 8-aligned. The first is written, as whoever asks for
    /// memory will.
    #[inline]
    pub(super) fn take(size: usize) -> Self {
        let layout = layout(size);
        // SAFETY: no workload asks for zero bytes.
        let address = black_box(unsafe { alloc(layout) });
        if address.is_null() {
            handle_alloc_error(layout);
        }
        // SAFETY: the block is ours, and not empty.
        unsafe { address.write_volatile(1) };
        Self { address, size }
    }

    /// Whether it is the first of a page.
    pub(super) fn starts_page(&self) -> bool {
        self.address.addr().is_multiple_of(4096)
    }

    /// Gives the block back.
    #[inline]
    pub(super) fn give_back(self) {
        // SAFETY: the block came from `alloc` with this layout; a `Block` cannot be copied.
        unsafe { dealloc(self.address, layout(self.size)) }
    }
}

#[inline]
fn layout(size: usize) -> Layout {
    // SAFETY: 8 is a valid alignment, and no workload comes near the largest size.
    unsafe { Layout::from_size_align_unchecked(size, 8) }
}

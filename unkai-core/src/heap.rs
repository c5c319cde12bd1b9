//! The allocator under the profiler, as the profiler sees it.

use std::alloc::Layout;

/// Something that allocates. The façades implement it for what they wrap; the core knows no trait of `std::alloc`.
///
/// # Safety
/// As for `std::alloc::GlobalAlloc`: blocks are valid for their layout until they are freed, and no method unwinds.
pub unsafe trait Heap {
    /// A block of `layout`, all zero if `zeroed`; null if there is none.
    ///
    /// # Safety
    /// `layout` has a size above zero.
    unsafe fn alloc(&self, layout: Layout, zeroed: bool) -> *mut u8;

    /// Takes a block back.
    ///
    /// # Safety
    /// `block` came from this heap for this `layout`, and is not used any more.
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout);

    /// Makes a block `new_size` bytes long, wherever it is then. Null, and the block unchanged, if that fails.
    ///
    /// # Safety
    /// `block` came from this heap for this `layout`; `new_size` is above zero and, rounded up to the alignment, at most
    /// `isize::MAX`. If the answer is not null, `block` is not used any more.
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8;
}

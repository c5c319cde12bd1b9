//! Whom the benches compare: the same inner allocator bare, charged to a scope at some depth, and below two other limits.

use std::alloc::{GlobalAlloc, Layout};
use std::hint::black_box;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

use unkai_allocator::api::{AllocError, Allocator};
use unkai_allocator::{Scope, Unkai};

/// Far away: what is measured is never refused.
pub(crate) const LIMIT: usize = 1 << 32;
pub(crate) const BLOCK: Layout = Layout::new::<[u64; 8]>();

/// An allocator that does nothing, so that only what is added to it takes time.
///
/// All of its blocks have the same address. Nobody here looks into a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nothing;

// SAFETY: not an allocator for general use: its blocks have no memory. The benches neither read nor write a block, which is
// all for which one would need it.
unsafe impl GlobalAlloc for Nothing {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        std::ptr::without_provenance_mut(layout.align())
    }

    #[inline]
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

/// A global allocator as one of the `Allocator` trait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Of<G>(pub(crate) G);

// SAFETY: forwards to an allocator that keeps the contract; all blocks here have the size of `BLOCK`, which is not zero.
unsafe impl<G: GlobalAlloc> Allocator for Of<G> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: the size is not zero.
        let ptr = NonNull::new(unsafe { self.0.alloc(layout) }).ok_or(AllocError)?;
        Ok(NonNull::slice_from_raw_parts(ptr, layout.size()))
    }

    #[inline]
    unsafe fn deallocate(&self, ptr: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { self.0.dealloc(ptr.as_ptr(), layout) }
    }
}

/// A limit as one writes it in a minute: one number that all threads share.
#[derive(Debug)]
pub(crate) struct Shared<A> {
    used: AtomicUsize,
    inner: A,
}

impl<A> Shared<A> {
    pub(crate) fn new(inner: A) -> Self {
        Self {
            used: AtomicUsize::new(0),
            inner,
        }
    }
}

// SAFETY: forwards to an allocator that keeps the contract, or returns no block.
unsafe impl<A: Allocator> Allocator for Shared<A> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let mut used = self.used.load(Ordering::Relaxed);
        loop {
            let new = used + layout.size();
            if new > LIMIT {
                return Err(AllocError);
            }
            let exchange =
                self.used
                    .compare_exchange_weak(used, new, Ordering::Relaxed, Ordering::Relaxed);
            match exchange {
                Ok(_) => break,
                Err(now) => used = now,
            }
        }
        self.inner.allocate(layout)
    }

    #[inline]
    unsafe fn deallocate(&self, ptr: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { self.inner.deallocate(ptr, layout) };
        self.used.fetch_sub(layout.size(), Ordering::Relaxed);
    }
}

/// A root with a limit.
pub(crate) fn root() -> Scope {
    let root = Scope::root("root").limit(LIMIT).build();
    root.expect("a root is never refused")
}

/// A scope at the end of a chain of `depth` scopes that starts at `root`, each with a limit.
pub(crate) fn chain(root: &Scope, depth: usize) -> Scope {
    (1..depth).fold(root.clone(), |scope, _| {
        let child = scope.child("scope").limit(LIMIT).build();
        child.expect("it has no guarantee")
    })
}

pub(crate) fn at_depth<A: Allocator>(inner: A, depth: usize) -> Unkai<A> {
    Unkai::in_scope(inner, &chain(&root(), depth))
}

/// Allocates a block of 64 bytes and frees it, so many times.
#[inline(never)]
pub(crate) fn pairs(allocator: &impl Allocator, times: u64) {
    for _ in 0..times {
        let block = black_box(allocator.allocate(black_box(BLOCK)));
        if let Ok(block) = block {
            // SAFETY: the block came from this allocator, with this layout.
            unsafe { allocator.deallocate(block.cast(), BLOCK) };
        }
    }
}

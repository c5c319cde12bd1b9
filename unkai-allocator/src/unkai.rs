//! [`Unkai<A>`]: an allocator that forwards every call to another one, and charges a [`Scope`] for it.
//!
//! The adapter adds no logic to what the inner allocator does: each method calls the method of the same name, so that
//! growing in place or zeroing by the page still happens. Around that call it keeps one order: *charge, inner call, keep
//! the charge* on the way up; *inner call, uncharge* on the way down.
//!
//! # Blocks are exactly as long as requested
//! An allocator may return more bytes than it was asked for, and its user may then free the block with any size in
//! between. Such a free would refund bytes that were never charged. So `Unkai` returns each block with the length that
//! was requested: then every later call must name exactly that size. Two consequences:
//! * Collections do not use the inner allocator's spare room.
//! * `grow_zeroed` owes zeros right from the old *requested* size on, where the inner allocator may keep what stood in
//!   its spare room. `Unkai` zeroes again what was added, once this inner allocator is known to have spare room.

use std::alloc::Layout;
use std::fmt;
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use unkai_core::{Scope, Usage};

use crate::api::{AllocError, Allocator, Global};

/// [`Unkai`] over the global allocator.
pub type UnkaiGlobal = Unkai<Global>;

/// An allocator that counts the bytes taken from `A`, for one collection or for several that share it.
///
/// Every [`new`](Self::new) starts its own count and remembers where it was called; a [`Clone`] shares both. The numbers
/// outlive the collection when you keep a clone. `Unkai<A>` is `Send` and `Sync` as `A` is.
///
/// Not for finding out *which code* allocates, nor for memory that no collection takes through the `Allocator` trait:
/// both are the heap profiler's. [What it costs](crate#what-it-costs) stands in the crate's documentation.
///
/// ```
/// # #![cfg_attr(feature = "nightly", feature(allocator_api))]
/// use unkai_allocator::UnkaiGlobal;
/// use unkai_allocator::api::Vec;
///
/// let cache = UnkaiGlobal::default();
/// let mut keys: Vec<u64, _> = Vec::with_capacity_in(100, cache.clone());
/// let mut values: Vec<[u8; 32], _> = Vec::with_capacity_in(100, cache.clone());
/// keys.push(1);
/// values.push([0; 32]);
/// assert_eq!(cache.report_usage(), 100 * 8 + 100 * 32);
///
/// keys.shrink_to_fit();
/// drop(values);
/// assert_eq!(cache.report_usage(), 8);
/// assert_eq!(cache.usage().peak_bytes, 4000);
/// ```
pub struct Unkai<A> {
    shared: Arc<Shared>,
    inner: A,
}

/// What all clones of one handle share.
struct Shared {
    scope: Scope,
    caller: &'static Location<'static>,
    /// Whether the inner allocator has ever returned a block longer than requested. Invariant: set before such a block is
    /// handed out, and never cleared.
    oversizes: AtomicBool,
}

impl<A: Allocator> Unkai<A> {
    /// Wraps `inner`, with a count of its own that starts at zero.
    ///
    /// Remembers the place where it is called, for [`report_caller`](Self::report_caller). Allocates that count from the
    /// global allocator.
    #[track_caller]
    pub fn new(inner: A) -> Self {
        Self {
            shared: Arc::new(Shared {
                scope: Scope::new(),
                caller: Location::caller(),
                oversizes: AtomicBool::new(false),
            }),
            inner,
        }
    }

    /// The bytes that are taken through this handle and its clones, and not given back.
    ///
    /// Exact while no call is in flight, and never less than what is really held: a block is counted from before the
    /// inner allocator is asked for it until after it has been freed. Costs one atomic load.
    pub fn report_usage(&self) -> isize {
        // Blocks that exist together fit the address space, and so an `isize` on every platform that rustc knows.
        self.shared.scope.used_bytes() as isize
    }

    /// The place in the program where this handle, or the one it was cloned from, was created.
    pub fn report_caller(&self) -> &'static Location<'static> {
        self.shared.caller
    }

    /// The bytes and blocks that are taken through this handle and its clones and not given back, and the most bytes
    /// that were held at the same time.
    ///
    /// Blocks of zero bytes hold no memory and are not counted. A request that the inner allocator refuses is in `bytes`
    /// and `blocks` while it is in flight, as another thread may see, and in none of the three afterwards.
    ///
    /// ```
    /// # #![cfg_attr(feature = "nightly", feature(allocator_api))]
    /// use unkai_allocator::UnkaiGlobal;
    /// use unkai_allocator::api::Box;
    ///
    /// let handle = UnkaiGlobal::default();
    /// let number = Box::new_in(7_u32, handle.clone());
    /// let unit = Box::new_in((), handle.clone());
    /// assert_eq!((handle.usage().bytes, handle.usage().blocks), (4, 1));
    ///
    /// drop((number, unit));
    /// assert_eq!((handle.usage().bytes, handle.usage().blocks), (0, 0));
    /// assert_eq!(handle.usage().peak_bytes, 4);
    /// ```
    pub fn usage(&self) -> Usage {
        self.shared.scope.usage()
    }

    /// The inner allocator. What is taken from it directly is not counted.
    pub fn inner(&self) -> &A {
        &self.inner
    }

    /// The block cut to the requested length: see the head of this file.
    #[inline]
    fn cut(&self, block: NonNull<[u8]>, layout: Layout) -> NonNull<[u8]> {
        if block.len() != layout.size() {
            // Relaxed: whoever uses the block later has it from here, and so sees this as well.
            self.shared.oversizes.store(true, Ordering::Relaxed);
        }
        NonNull::slice_from_raw_parts(block.cast(), layout.size())
    }
}

// SAFETY:
// * Blocks stay valid: they are the inner allocator's, which lives inside `self` and is moved, borrowed mutably or
//   dropped only with it. `inner` gives out shared references, which cannot invalidate a block.
// * Clones are interchangeable: the clone's inner allocator is a clone of `A`, for which `A: Allocator` promises just
//   that; the count is one and the same `Scope`; nothing else is kept per clone. Moving `Unkai` moves `A` and a pointer.
// * A block may be passed to any method: each passes it on to the inner allocator, unchanged. What is returned is the
//   inner block or the front of it, so it satisfies the layout for which the inner allocator returned it.
// * No method unwinds by itself: charging does not allocate, lock or panic. (A debug build asserts that no more is given
//   back than was taken, which only a caller in breach of this trait can do.)
unsafe impl<A: Allocator> Allocator for Unkai<A> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let charge = self.shared.scope.charge(layout.size());
        let block = self.inner.allocate(layout)?;
        charge.keep();
        Ok(self.cut(block, layout))
    }

    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let charge = self.shared.scope.charge(layout.size());
        let block = self.inner.allocate_zeroed(layout)?;
        charge.keep();
        Ok(self.cut(block, layout))
    }

    #[inline]
    unsafe fn deallocate(&self, ptr: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller promises both points for this allocator, and they hold for the inner one:
        // * `ptr` is currently allocated by it: all our blocks are its blocks, at its addresses, and it has been told of
        //   every free, growth and reduction since.
        // * `layout` fits: our range of sizes is only the requested one, which is the least of the inner block's range;
        //   the alignment is the one that the inner allocator was given.
        unsafe { self.inner.deallocate(ptr, layout) };
        self.shared.scope.uncharge(layout.size());
    }

    #[inline]
    unsafe fn grow(
        &self,
        ptr: NonNull<u8>,
        old_layout: Layout,
        new_layout: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        let charge = self
            .shared
            .scope
            .resize(old_layout.size(), new_layout.size());
        // SAFETY: the caller promises for this allocator, and it holds for the inner one, that
        // * `ptr` is currently allocated and `old_layout` fits it: as in `deallocate`.
        // * `new_layout` is not the smaller: both layouts are passed on as they are.
        let block = unsafe { self.inner.grow(ptr, old_layout, new_layout) }?;
        charge.keep();
        Ok(self.cut(block, new_layout))
    }

    #[inline]
    unsafe fn grow_zeroed(
        &self,
        ptr: NonNull<u8>,
        old_layout: Layout,
        new_layout: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        let charge = self
            .shared
            .scope
            .resize(old_layout.size(), new_layout.size());
        // SAFETY: the caller promises for this allocator, and it holds for the inner one, that
        // * `ptr` is currently allocated and `old_layout` fits it: as in `deallocate`.
        // * `new_layout` is not the smaller: both layouts are passed on as they are.
        let block = unsafe { self.inner.grow_zeroed(ptr, old_layout, new_layout) }?;
        charge.keep();
        if self.shared.oversizes.load(Ordering::Relaxed) {
            // SAFETY:
            // * the offset lies within the block, or just behind it: the block has at least `new_layout.size()` bytes,
            //   which the caller promises to be no less than `old_layout.size()`; and a size fits an `isize`.
            let added = unsafe { block.cast::<u8>().add(old_layout.size()) };
            // SAFETY:
            // * valid for writes of that many bytes: they end at `new_layout.size()`, within the block.
            // * no alias: the block was transferred to the inner allocator and has just been returned to us alone.
            // * bytes have no alignment.
            unsafe { added.write_bytes(0, new_layout.size() - old_layout.size()) };
        }
        Ok(self.cut(block, new_layout))
    }

    #[inline]
    unsafe fn shrink(
        &self,
        ptr: NonNull<u8>,
        old_layout: Layout,
        new_layout: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        let charge = self
            .shared
            .scope
            .resize(old_layout.size(), new_layout.size());
        // SAFETY: the caller promises for this allocator, and it holds for the inner one, that
        // * `ptr` is currently allocated and `old_layout` fits it: as in `deallocate`.
        // * `new_layout` is not the larger: both layouts are passed on as they are.
        let block = unsafe { self.inner.shrink(ptr, old_layout, new_layout) }?;
        charge.keep();
        Ok(self.cut(block, new_layout))
    }
}

/// The clone shares the count and the place of creation. For a count of its own, make a [`new`](Unkai::new) one.
impl<A: Clone> Clone for Unkai<A> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            inner: self.inner.clone(),
        }
    }
}

/// As [`Unkai::new`] over the global allocator: a new count, created where `default` is called.
impl Default for Unkai<Global> {
    #[track_caller]
    fn default() -> Self {
        Self::new(Global)
    }
}

impl<A: fmt::Debug> fmt::Debug for Unkai<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unkai")
            .field("usage", &self.shared.scope.usage())
            .field("caller", &format_args!("{}", self.shared.caller))
            .field("inner", &self.inner)
            .finish()
    }
}

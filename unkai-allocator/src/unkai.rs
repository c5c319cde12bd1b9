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

use unkai_core::{BuildError, Charge, Scope, Usage};

use crate::api::{AllocError, Allocator, Global};

/// [`Unkai`] over the global allocator.
pub type UnkaiGlobal = Unkai<Global>;

/// An allocator that charges the bytes taken from `A` to a [`Scope`], and refuses what the scope has no room for: methods that
/// can fail return an error then, and those that cannot end the process.
///
/// Every [`new`](Self::new) starts a scope of its own, without a limit; [`in_scope`](Self::in_scope) charges one that exists.
/// A [`Clone`] charges the same scope. The numbers outlive the collection when you keep a clone. `Unkai<A>` is `Send` and
/// `Sync` as `A` is.
///
/// **A refusal is an `AllocError`. The fallible methods of collections (`try_reserve`) return it; the others (`push`,
/// `with_capacity_in`, `insert`) end the process, as they do when memory is out.** [`last_refusal`](crate::last_refusal) tells
/// why.
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
    scope: Scope,
    inner: A,
}

impl<A: Allocator> Unkai<A> {
    /// Wraps `inner`, with a scope of its own: the root of a new tree, without a limit, named after the place where this is
    /// called, which [`report_caller`](Self::report_caller) tells.
    #[track_caller]
    pub fn new(inner: A) -> Self {
        let caller = Location::caller();
        let scope = Scope::root(&caller.to_string())
            .created_at(caller)
            .build()
            .expect("a root without a guarantee is never refused");
        Self { scope, inner }
    }

    /// Wraps `inner`, and charges `scope`.
    ///
    /// ```
    /// # #![cfg_attr(feature = "nightly", feature(allocator_api))]
    /// use unkai_allocator::api::{Global, Vec};
    /// use unkai_allocator::{Scope, Unkai, last_refusal};
    ///
    /// let query = Scope::root("query").limit(1000).build()?;
    /// let mut rows: Vec<u64, _> = Vec::new_in(Unkai::in_scope(Global, &query));
    /// assert!(rows.try_reserve_exact(100).is_ok());
    /// assert!(rows.try_reserve_exact(200).is_err());
    /// assert_eq!(last_refusal().unwrap().path(), "query");
    /// assert_eq!(query.used(), 800);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn in_scope(inner: A, scope: &Scope) -> Self {
        Self {
            scope: scope.clone(),
            inner,
        }
    }

    /// The same inner allocator, charged to a new scope below this one, without a limit of its own.
    ///
    /// For a limit, a guarantee or a warning level, build the scope with [`Scope::child`] and use
    /// [`in_scope`](Self::in_scope).
    ///
    /// # Errors
    /// [`BuildError::TooDeep`], for more than [`MAX_DEPTH`](crate::MAX_DEPTH) levels.
    ///
    /// ```
    /// use unkai_allocator::UnkaiGlobal;
    ///
    /// let tables = UnkaiGlobal::default();
    /// tables.scope().set_limit(Some(1 << 20));
    /// let orders = tables.child("orders")?;
    /// assert_eq!(orders.scope().name(), "orders");
    /// assert_eq!(orders.scope().headroom(), Some(1 << 20));
    /// # Ok::<(), unkai_allocator::BuildError>(())
    /// ```
    #[track_caller]
    pub fn child(&self, name: &str) -> Result<Self, BuildError>
    where
        A: Clone,
    {
        Ok(Self {
            scope: self.scope.child(name).build()?,
            inner: self.inner.clone(),
        })
    }

    /// The scope that is charged.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The bytes that are taken through this handle and all others on the same scope, and below it, and not given back.
    ///
    /// Exact while no call is in flight: see [`Scope::used`].
    pub fn report_usage(&self) -> isize {
        // Blocks that exist together fit the address space, and so an `isize` on every platform that rustc knows.
        self.scope.used() as isize
    }

    /// The place in the program where the scope was created: where [`new`](Self::new) was called.
    pub fn report_caller(&self) -> &'static Location<'static> {
        self.scope.created_at()
    }

    /// The bytes and blocks that are taken on this scope and below it and not given back, and the most bytes that were held at
    /// the same time.
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
        self.scope.usage()
    }

    /// The inner allocator. What is taken from it directly is not counted.
    pub fn inner(&self) -> &A {
        &self.inner
    }

    /// The block cut to the requested length: see the head of this file.
    #[inline]
    fn cut(&self, block: NonNull<[u8]>, layout: Layout) -> NonNull<[u8]> {
        if block.len() != layout.size() {
            self.scope.note_oversized_block();
        }
        NonNull::slice_from_raw_parts(block.cast(), layout.size())
    }

    #[inline]
    fn charge(&self, old: usize, new: usize) -> Result<Charge<'_>, AllocError> {
        self.scope.resize(old, new).map_err(|_| AllocError)
    }
}

// SAFETY:
// * Blocks stay valid: they are the inner allocator's, which lives inside `self` and is moved, borrowed mutably or
//   dropped only with it. `inner` gives out shared references, which cannot invalidate a block.
// * Clones are interchangeable: the clone's inner allocator is a clone of `A`, for which `A: Allocator` promises just
//   that; the scope is one and the same; nothing else is kept per clone. Moving `Unkai` moves `A` and a pointer.
// * A block may be passed to any method: each passes it on to the inner allocator, unchanged. What is returned is the
//   inner block or the front of it, so it satisfies the layout for which the inner allocator returned it.
// * No method unwinds by itself: charging stops the panics of reclaimers and callbacks. (A debug build asserts that no more
//   is given back than was taken, which only a caller in breach of this trait can do.)
unsafe impl<A: Allocator> Allocator for Unkai<A> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let charge = self.charge(0, layout.size())?;
        let block = self.inner.allocate(layout)?;
        charge.keep();
        Ok(self.cut(block, layout))
    }

    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let charge = self.charge(0, layout.size())?;
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
        self.scope.uncharge(layout.size());
    }

    #[inline]
    unsafe fn grow(
        &self,
        ptr: NonNull<u8>,
        old_layout: Layout,
        new_layout: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        let charge = self.charge(old_layout.size(), new_layout.size())?;
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
        let charge = self.charge(old_layout.size(), new_layout.size())?;
        // SAFETY: the caller promises for this allocator, and it holds for the inner one, that
        // * `ptr` is currently allocated and `old_layout` fits it: as in `deallocate`.
        // * `new_layout` is not the smaller: both layouts are passed on as they are.
        let block = unsafe { self.inner.grow_zeroed(ptr, old_layout, new_layout) }?;
        charge.keep();
        if self.scope.has_oversized_blocks() {
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
        let charge = self.charge(old_layout.size(), new_layout.size())?;
        // SAFETY: the caller promises for this allocator, and it holds for the inner one, that
        // * `ptr` is currently allocated and `old_layout` fits it: as in `deallocate`.
        // * `new_layout` is not the larger: both layouts are passed on as they are.
        let block = unsafe { self.inner.shrink(ptr, old_layout, new_layout) }?;
        charge.keep();
        Ok(self.cut(block, new_layout))
    }
}

/// The clone charges the same scope. For one of its own, make a [`new`](Unkai::new) handle, or a [`child`](Unkai::child).
impl<A: Clone> Clone for Unkai<A> {
    fn clone(&self) -> Self {
        Self {
            scope: self.scope.clone(),
            inner: self.inner.clone(),
        }
    }
}

/// As [`Unkai::new`] over the global allocator: a new scope, created where `default` is called.
impl Default for Unkai<Global> {
    #[track_caller]
    fn default() -> Self {
        Self::new(Global)
    }
}

impl<A: fmt::Debug> fmt::Debug for Unkai<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unkai")
            .field("scope", &self.scope)
            .field("caller", &format_args!("{}", self.scope.created_at()))
            .field("inner", &self.inner)
            .finish()
    }
}

//! [`UnkaiGlobalAlloc`] as a `GlobalAlloc`: count, then hand over.

use std::alloc::{GlobalAlloc, Layout};

use unkai_core::process::{self, Registers};
use unkai_core::{Cells, Config, Heap};

/// A global allocator that profiles the heap of the program and leaves the work to `A`.
///
/// Make one a `static` with `#[global_allocator]`. All of a process's instances share one profile, for a process has one
/// heap; the settings of the one that is used first hold.
///
/// Totals of bytes and blocks are exact. One allocation is sampled every 512 KiB on average (see [`Config`]), with its
/// call stack, until it is freed. An allocation or a free that is not sampled costs a few instructions and no lock; one
/// that is costs between a fraction of a microsecond and some microseconds, as caches are warm or cold.
///
/// A request below 64 KiB is counted before `A` is asked for it. Should `A` refuse it, totals stay too high by that
/// request, unless [`Config::check_every_allocation`] is set; larger requests are always counted right.
#[derive(Debug)]
pub struct UnkaiGlobalAlloc<A> {
    inner: Inner<A>,
    pub(crate) config: Config,
}

impl<A> UnkaiGlobalAlloc<A> {
    /// Profiles over `alloc` with these settings. A setting that makes no sense does not compile in a `static`.
    pub const fn with_config(alloc: A, config: Config) -> Self {
        Self {
            inner: Inner(alloc),
            config,
        }
    }

    /// The wrapped allocator.
    pub const fn inner(&self) -> &A {
        &self.inner.0
    }

    /// The constructor of version 0.2.0; new code is clearer with [`UnkaiGlobalAlloc::with_config`].
    ///
    /// On average one allocation in `sample_rate` is captured (0 captures none). The innermost `skip_stack` frames are
    /// left out, counted as that version counted them: the first five are those of the profiler itself, so that 5 begins
    /// with the caller of the allocator, as it did. At most `fetch_stack` frames are kept. Requests of
    /// `capture_threshold` bytes or fewer are not captured; they are counted, and always freed.
    ///
    /// Choosing by count instead of by bytes sends every allocation through the slow path, some nanoseconds long.
    ///
    /// ```
    /// use std::alloc::System;
    /// use unkai_global::UnkaiGlobalAlloc;
    ///
    /// #[global_allocator]
    /// static UNKAI: UnkaiGlobalAlloc<System> = UnkaiGlobalAlloc::new(System, 99, 5, 10, 0);
    /// ```
    pub const fn new(
        alloc: A,
        sample_rate: usize,
        skip_stack: usize,
        fetch_stack: usize,
        capture_threshold: usize,
    ) -> Self {
        // A stack now starts at the caller of the allocator by itself.
        let skip = skip_stack.saturating_sub(OWN_FRAMES);
        let most = clamp(fetch_stack, 1, unkai_core::MAX_FRAMES);
        let config = Config::new()
            .skip_frames(clamp(skip, 0, u16::MAX as usize) as u16)
            .max_frames(most as u16)
            .sampling_threshold(capture_threshold);
        let config = match sample_rate as u64 {
            0 => config.sampling_off(),
            rate if rate > unkai_core::MAX_INTERVAL => {
                config.sample_one_in(unkai_core::MAX_INTERVAL)
            }
            rate => config.sample_one_in(rate),
        };
        Self::with_config(alloc, config)
    }
}

// SAFETY: every block comes from `A` and goes back to it as it was taken: on the fast path with the very arguments, on
// the slow path as `unkai_core::process` promises. Layouts are honoured: a sampled block stands within a larger request,
// aligned as asked. No method unwinds: the core aborts if a panic were to leave it, and `A` does not by its own contract.
unsafe impl<A: GlobalAlloc> GlobalAlloc for UnkaiGlobalAlloc<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let cells = process::cells();
        if cells.count_alloc(layout.size()) {
            // SAFETY: the caller's promise is passed on; `cells` are this thread's, and were counted on.
            return unsafe { Self::alloc_slow(layout.size(), layout.align(), cells, self) };
        }
        // SAFETY: the caller's promise is passed on.
        unsafe { self.inner.0.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let cells = process::cells();
        if cells.count_alloc(layout.size()) {
            // SAFETY: the caller's promise is passed on; `cells` are this thread's, and were counted on.
            return unsafe { Self::alloc_zeroed_slow(layout.size(), layout.align(), cells, self) };
        }
        // SAFETY: the caller's promise is passed on.
        unsafe { self.inner.0.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let cells = process::cells();
        if cells.count_dealloc(block as usize, layout.size(), layout.align()) {
            // SAFETY: the caller's promise is passed on; `cells` are this thread's, and were counted on.
            return unsafe {
                Self::dealloc_slow(block, layout.size(), layout.align(), cells, self)
            };
        }
        // SAFETY: the caller's promise is passed on: a block that is not looked up is the inner allocator's as it is.
        unsafe { self.inner.0.dealloc(block, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let cells = process::cells();
        if cells.count_realloc(block as usize, layout.size(), layout.align(), new_size) {
            // SAFETY: the caller's promise is passed on; `cells` are this thread's, and were counted on.
            return unsafe {
                Self::realloc_slow(block, layout.size(), layout.align(), new_size, cells, self)
            };
        }
        // SAFETY: the caller's promise is passed on: a block that is not looked up is the inner allocator's as it is.
        unsafe { self.inner.0.realloc(block, layout, new_size) }
    }
}

// The slow halves. Out of line, so that the fast ones save no register and end in a tail call. Their parameters come in the
// order in which the compiler passes them to an allocator, and what the fast half adds comes last, so that it need not move
// any. Each takes the registers itself, so that the first frame of a stack is the caller of the allocator.
impl<A: GlobalAlloc> UnkaiGlobalAlloc<A> {
    #[cold]
    #[inline(never)]
    unsafe fn alloc_slow(size: usize, align: usize, cells: &'static Cells, this: &Self) -> *mut u8 {
        let registers = Registers::capture();
        // SAFETY: these are the parts of a layout.
        let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
        // SAFETY: the caller's promise is passed on.
        unsafe { process::alloc(&this.inner, &this.config, cells, &registers, layout, false) }
    }

    #[cold]
    #[inline(never)]
    unsafe fn alloc_zeroed_slow(
        size: usize,
        align: usize,
        cells: &'static Cells,
        this: &Self,
    ) -> *mut u8 {
        let registers = Registers::capture();
        // SAFETY: these are the parts of a layout.
        let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
        // SAFETY: the caller's promise is passed on.
        unsafe { process::alloc(&this.inner, &this.config, cells, &registers, layout, true) }
    }

    #[cold]
    #[inline(never)]
    unsafe fn dealloc_slow(
        block: *mut u8,
        size: usize,
        align: usize,
        cells: &'static Cells,
        this: &Self,
    ) {
        let registers = Registers::capture();
        // SAFETY: these are the parts of a layout.
        let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
        // SAFETY: the caller's promise is passed on.
        unsafe { process::dealloc(&this.inner, &this.config, cells, &registers, block, layout) }
    }

    #[cold]
    #[inline(never)]
    unsafe fn realloc_slow(
        block: *mut u8,
        size: usize,
        align: usize,
        new_size: usize,
        cells: &'static Cells,
        this: &Self,
    ) -> *mut u8 {
        let registers = Registers::capture();
        // SAFETY: these are the parts of a layout.
        let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
        // SAFETY: the caller's promise is passed on.
        unsafe {
            process::realloc(
                &this.inner,
                &this.config,
                cells,
                &registers,
                block,
                layout,
                new_size,
            )
        }
    }
}

/// The wrapped allocator, as the core sees it.
#[derive(Debug)]
struct Inner<A>(A);

// SAFETY: a `GlobalAlloc` keeps these very promises.
unsafe impl<A: GlobalAlloc> Heap for Inner<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout, zeroed: bool) -> *mut u8 {
        if zeroed {
            // SAFETY: the caller's promise is passed on.
            unsafe { self.0.alloc_zeroed(layout) }
        } else {
            // SAFETY: the caller's promise is passed on.
            unsafe { self.0.alloc(layout) }
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { self.0.dealloc(block, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        unsafe { self.0.realloc(block, layout, new_size) }
    }
}

/// Innermost frames that version 0.2.0 had in each stack and this one does not: those of `backtrace`, of unkai and of the
/// allocator's entry points.
const OWN_FRAMES: usize = 5;

const fn clamp(value: usize, least: usize, most: usize) -> usize {
    if value < least {
        least
    } else if value > most {
        most
    } else {
        value
    }
}

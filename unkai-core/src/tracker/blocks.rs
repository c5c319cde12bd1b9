//! The slow paths of allocation, free and reallocation.
//!
//! In those of a thread with cells the fast path has already counted the operation; a refused request is taken back here.

use std::alloc::Layout;
use std::ptr;

use super::control::Control;
use super::samples::{Closed, inner_of, layout_of};
use super::shared::Account;
use super::{Caller, Tables, Tracker, mark};
use crate::heap::Heap;
use crate::losses::Cause;
use crate::probe::sampler::Plan;
use crate::store::cells::Cells;
use crate::store::cells::Direction;
use crate::store::live::LiveBlock;
use crate::store::peak::QUANTUM;
use crate::store::room::Stock;
use crate::sync::Ordering;

/// How a sampled block is placed.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// At a marked address within an enlarged request.
    Marked(Layout),
    /// Where the inner allocator puts it: its free is looked up in any case.
    Plain,
}

/// Whoever gives a block back: a thread with or without cells.
#[derive(Debug)]
struct Freer<'a, H> {
    heap: &'a H,
    stock: Option<&'a Stock>,
}

impl<'a, H> Freer<'a, H> {
    fn shared(heap: &'a H) -> Self {
        Self { heap, stock: None }
    }
}

impl<'a, H> Caller<'a, H> {
    fn freer(&self) -> Freer<'a, H> {
        Freer {
            heap: self.heap,
            stock: Some(&self.cells.own.live_stock),
        }
    }
}

impl Tracker {
    /// Looks whether an allocation of `size` bytes is nothing but counted: no sample, not large, and no change to be noticed.
    /// Then the countdown goes on, and the inner allocator may serve it. The short way out of most slow paths.
    #[inline]
    pub(crate) fn only_counts_alloc(&self, cells: &Cells, size: usize) -> bool {
        let left = cells.left(Direction::Allocated);
        if left >= 0 {
            return true;
        }
        let plan = cells.own.plan.load(Ordering::Relaxed);
        let counted = cells.own.armed.load(Ordering::Relaxed).wrapping_sub(left) as u64;
        let until = cells.own.until.load(Ordering::Relaxed);
        // A thread without cells has no plan; where samples are dense, every free is looked up.
        let as_before = Plan::from_word(plan).is_by_bytes()
            && plan == self.control.plan().word()
            && cells.mark_floor() != 0;
        if !as_before || counted >= until || mark::is_large(size) {
            return false;
        }
        let Some(tables) = self.tables.get() else {
            return false;
        };
        if tables.config.get_check_every_allocation() {
            return false;
        }
        cells.own.until.store(until - counted, Ordering::Relaxed);
        self.arm(tables, cells, &self.load_sampler(cells));
        self.publish(tables, cells);
        true
    }

    /// Looks whether a free is nothing but counted: the block is not large, and not at a marked address. Then the countdown
    /// goes on, and the inner allocator may have the block.
    #[inline]
    pub(crate) fn only_counts_dealloc(
        &self,
        cells: &Cells,
        address: usize,
        size: usize,
        align: usize,
    ) -> bool {
        // To a thread without cells every address is a marked one.
        if mark::is_large(size) || cells.may_be_marked(address, align) {
            return false;
        }
        if cells.left(Direction::Freed) < 0 {
            cells.rearm(Direction::Freed, QUANTUM - 1);
        }
        true
    }

    /// Serves an allocation that was counted on the caller's cells and must be looked at.
    ///
    /// # Safety
    /// As for [`Heap::alloc`].
    pub(crate) unsafe fn alloc<H: Heap>(
        &self,
        caller: &Caller<'_, H>,
        layout: Layout,
        zeroed: bool,
    ) -> *mut u8 {
        let tables = self.tables_of(caller);
        let size = layout.size();
        let left = caller.cells.left(Direction::Allocated);
        // A large block is not counted before it is there: whoever looks meanwhile would see what may never be.
        let is_large = mark::is_large(size);
        if is_large {
            caller.cells.retract_large(Direction::Allocated, size);
        }
        let sampled = match self.decide(tables, caller, size, left) {
            // SAFETY: the caller's promise is passed on.
            Some(blocks) => unsafe { self.alloc_sample(tables, caller, layout, zeroed, blocks) },
            None => None,
        };
        // SAFETY: the caller's promise is passed on.
        let block = sampled.unwrap_or_else(|| unsafe { caller.heap.alloc(layout, zeroed) });
        if block.is_null() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        match (block.is_null(), is_large) {
            (true, false) => caller.cells.retract(Direction::Allocated, size),
            (false, true) => caller.cells.add(Direction::Allocated, size),
            _ => {}
        }
        if !block.is_null() {
            self.publish(tables, caller.cells);
        }
        block
    }

    /// Serves a free that was counted on the caller's cells and must be looked at.
    ///
    /// # Safety
    /// As for [`Heap::dealloc`], for a block of this tracker.
    pub(crate) unsafe fn dealloc<H: Heap>(
        &self,
        caller: &Caller<'_, H>,
        block: *mut u8,
        layout: Layout,
    ) {
        let tables = self.tables_of(caller);
        if caller.cells.left(Direction::Freed) < 0 {
            self.note_freed(caller.cells);
            self.publish(tables, caller.cells);
        }
        // SAFETY: the caller's promise is passed on.
        unsafe { self.give_back(tables, &caller.freer(), block, layout) }
    }

    /// Serves a reallocation that was counted on the caller's cells and must be looked at.
    ///
    /// # Safety
    /// As for [`Heap::realloc`], for a block of this tracker.
    pub(crate) unsafe fn realloc<H: Heap>(
        &self,
        caller: &Caller<'_, H>,
        block: *mut u8,
        layout: Layout,
        new_size: usize,
    ) -> *mut u8 {
        let tables = self.tables_of(caller);
        let cells = caller.cells;
        let (left, freed_is_due) = (
            cells.left(Direction::Allocated),
            cells.left(Direction::Freed) < 0,
        );
        // As in `alloc`; the old block is live until then.
        let is_large = mark::is_large(new_size.max(layout.size()));
        if is_large {
            self.retract_in_advance(cells, Direction::Allocated, new_size);
            self.retract_in_advance(cells, Direction::Freed, layout.size());
        }
        let sample = self.decide(tables, caller, new_size, left);
        if freed_is_due {
            self.note_freed(cells);
        }
        // SAFETY: the caller's promise is passed on.
        let resized = unsafe { self.resize(tables, caller, block, layout, new_size, sample) };
        if resized.is_null() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        match (resized.is_null(), is_large) {
            (true, false) => {
                cells.retract(Direction::Allocated, new_size);
                cells.retract(Direction::Freed, layout.size());
            }
            (false, true) => {
                cells.add(Direction::Allocated, new_size);
                cells.add(Direction::Freed, layout.size());
            }
            _ => {}
        }
        if !resized.is_null() {
            self.publish(tables, cells);
        }
        resized
    }

    /// An allocation by a thread that does not count on cells. `account` is charged.
    ///
    /// # Safety
    /// As for [`Heap::alloc`].
    pub(crate) unsafe fn alloc_without_cells(
        &self,
        heap: &impl Heap,
        layout: Layout,
        zeroed: bool,
        account: Account,
    ) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        let block = unsafe { heap.alloc(layout, zeroed) };
        if block.is_null() {
            self.charge_refusal(account);
        } else {
            self.charge_alloc(account, layout.size());
            self.note_growth(account);
        }
        block
    }

    /// A free by a thread that does not count on cells.
    ///
    /// # Safety
    /// As for [`Tracker::dealloc`].
    pub(crate) unsafe fn dealloc_without_cells(
        &self,
        heap: &impl Heap,
        block: *mut u8,
        layout: Layout,
        account: Account,
    ) {
        self.charge_dealloc(account, layout.size());
        match self.tables.get() {
            // SAFETY: the caller's promise is passed on.
            Some(tables) => unsafe { self.give_back(tables, &Freer::shared(heap), block, layout) },
            // SAFETY: without tables nothing was ever sampled, so the block is the inner allocator's as it is.
            None => unsafe { heap.dealloc(block, layout) },
        }
    }

    /// A reallocation by a thread that does not count on cells.
    ///
    /// # Safety
    /// As for [`Tracker::realloc`].
    pub(crate) unsafe fn realloc_without_cells(
        &self,
        heap: &impl Heap,
        block: *mut u8,
        layout: Layout,
        new_size: usize,
        account: Account,
    ) -> *mut u8 {
        let resized = match self.tables.get() {
            // SAFETY: the caller's promise is passed on.
            Some(tables) => unsafe {
                self.resize_unsampled(tables, &Freer::shared(heap), block, layout, new_size)
            },
            // SAFETY: without tables nothing was ever sampled, so the block is the inner allocator's as it is.
            None => unsafe { heap.realloc(block, layout, new_size) },
        };
        if resized.is_null() {
            self.charge_refusal(account);
        } else {
            self.charge_alloc(account, new_size);
            self.charge_dealloc(account, layout.size());
            self.note_growth(account);
        }
        resized
    }

    /// Looks at an allocation of `size` bytes, after which so much was `left` of the countdown: whether it is a sample, and for
    /// how many blocks it stands.
    fn decide<H>(
        &self,
        tables: &Tables,
        caller: &Caller<'_, H>,
        size: usize,
        left: i64,
    ) -> Option<f64> {
        let cells = caller.cells;
        if left >= 0 {
            return None;
        }
        let mut sampler = self.load_sampler(cells);
        let counted = cells.own.armed.load(Ordering::Relaxed).wrapping_sub(left) as u64;
        let eligible = size > tables.config.get_threshold_bytes() && !self.control.is_paused();
        let sample = sampler.on_block(counted.wrapping_sub(size as u64), size as u64, eligible);
        if sample.is_some() {
            self.steer_if_due(tables, cells);
        }
        sampler.set_plan(self.control.plan());
        self.store_sampler(cells, &sampler);
        self.arm(tables, cells, &sampler);
        self.control.settle_floor(cells);
        sample
    }

    /// Looks at the count of frees, which is due. What was freed is not published here: a growth that is refused is in no peak.
    fn note_freed(&self, cells: &Cells) {
        cells.rearm(Direction::Freed, QUANTUM - 1);
        self.control.settle_floor(cells);
    }

    /// Takes back what was counted of a `realloc` that is yet to come about.
    fn retract_in_advance(&self, cells: &Cells, direction: Direction, bytes: usize) {
        if mark::is_large(bytes) {
            cells.retract_large(direction, bytes);
        } else {
            cells.retract(direction, bytes);
        }
    }

    /// Allocates a block as a sample. `None` if it cannot be one: then it is to be served like any other. Null if the inner
    /// allocator has refused the very request of the program.
    ///
    /// # Safety
    /// As for [`Heap::alloc`].
    unsafe fn alloc_sample<H: Heap>(
        &self,
        tables: &Tables,
        caller: &Caller<'_, H>,
        layout: Layout,
        zeroed: bool,
        blocks: f64,
    ) -> Option<*mut u8> {
        match self.place(caller, layout)? {
            Place::Marked(enlarged) => {
                // SAFETY: an enlarged layout is not empty either.
                let base = unsafe { caller.heap.alloc(enlarged, zeroed) };
                if base.is_null() {
                    self.lost.count(Cause::SampleRefused);
                    return None;
                }
                // The enlarged request has room for `layout` behind any offset.
                let offset = mark::offset(base as usize, layout.align());
                let block = base.wrapping_add(usize::from(offset));
                if self.record(tables, caller, block, layout, Some(offset), blocks) {
                    return Some(block);
                }
                // Without a record nothing may stand at a marked place.
                // SAFETY: allocated above for this layout, and handed to nobody.
                unsafe { caller.heap.dealloc(base, enlarged) };
                None
            }
            Place::Plain => {
                // SAFETY: the caller's promise is passed on.
                let block = unsafe { caller.heap.alloc(layout, zeroed) };
                self.record_plain(tables, caller, block, layout, blocks);
                Some(block)
            }
        }
    }

    /// Makes a block `new_size` bytes long, as a sample if `sample` says so. Null if that fails; then nothing has changed.
    ///
    /// # Safety
    /// As for [`Tracker::realloc`].
    unsafe fn resize<H: Heap>(
        &self,
        tables: &Tables,
        caller: &Caller<'_, H>,
        block: *mut u8,
        layout: Layout,
        new_size: usize,
        sample: Option<f64>,
    ) -> *mut u8 {
        let (Some(blocks), Ok(wanted)) =
            (sample, Layout::from_size_align(new_size, layout.align()))
        else {
            // SAFETY: the caller's promise is passed on.
            return unsafe {
                self.resize_unsampled(tables, &caller.freer(), block, layout, new_size)
            };
        };
        let is_marked = self
            .known(tables, block)
            .is_some_and(|known| known.mark.is_some());
        let place = if is_marked {
            None
        } else {
            self.place(caller, wanted)
        };
        if let Some(Place::Plain) = place {
            // It stays what it is to the inner allocator, which may resize it in place.
            // SAFETY: the caller's promise is passed on.
            let resized =
                unsafe { self.resize_unsampled(tables, &caller.freer(), block, layout, new_size) };
            self.record_plain(tables, caller, resized, wanted, blocks);
            return resized;
        }
        // The old place or the new one is marked, so the block must move; a marked block is less than 64 KiB.
        // SAFETY: a layout of a size above zero.
        let moved = unsafe { self.alloc_sample(tables, caller, wanted, false, blocks) };
        let Some(moved) = moved.filter(|moved| !moved.is_null()) else {
            // SAFETY: the caller's promise is passed on.
            return unsafe {
                self.resize_unsampled(tables, &caller.freer(), block, layout, new_size)
            };
        };
        // SAFETY: both blocks are valid for their layouts, and different; the old one is given up by the caller.
        unsafe { self.move_into(tables, &caller.freer(), block, layout, moved, new_size) };
        moved
    }

    /// Makes a block `new_size` bytes long, not as a sample. Null if that fails; then nothing has changed.
    ///
    /// # Safety
    /// As for [`Tracker::realloc`].
    unsafe fn resize_unsampled(
        &self,
        tables: &Tables,
        freer: &Freer<'_, impl Heap>,
        block: *mut u8,
        layout: Layout,
        new_size: usize,
    ) -> *mut u8 {
        match self.known(tables, block) {
            Some(known) if known.mark.is_some() => {
                let Ok(wanted) = Layout::from_size_align(new_size, known.align) else {
                    return ptr::null_mut();
                };
                // The new block first: if there is none, the old one and its record stay as they are.
                // SAFETY: a layout of a size above zero.
                let moved = unsafe { freer.heap.alloc(wanted, false) };
                if !moved.is_null() {
                    // SAFETY: both blocks are valid for their layouts, and different; the old one is given up.
                    unsafe { self.move_into(tables, freer, block, layout, moved, new_size) };
                }
                moved
            }
            Some(known) => {
                // The record first: once the inner allocator has moved the block, its address may be issued again.
                let closed = self.close(tables, block, freer.stock);
                self.check_layout(&known, layout);
                // SAFETY: the block is not marked, so it is the inner allocator's as it is, with the recorded layout.
                let resized = unsafe { freer.heap.realloc(block, layout_of(&known), new_size) };
                match closed {
                    Some(closed) if resized.is_null() => {
                        self.reopen(tables, block, &closed, freer.stock)
                    }
                    Some(closed) => self.note_unmarked_gone(&closed),
                    None => {}
                }
                resized
            }
            // SAFETY: without a record the block is the inner allocator's as it is.
            None => unsafe { freer.heap.realloc(block, layout, new_size) },
        }
    }

    /// Copies what fits of `block` into `moved`, and gives `block` back.
    ///
    /// # Safety
    /// `block` is as for [`Tracker::dealloc`]; `moved` is another block, valid for `new_size` bytes.
    unsafe fn move_into(
        &self,
        tables: &Tables,
        freer: &Freer<'_, impl Heap>,
        block: *mut u8,
        layout: Layout,
        moved: *mut u8,
        new_size: usize,
    ) {
        // SAFETY: both blocks are valid for that many bytes, and distinct blocks do not overlap.
        unsafe { ptr::copy_nonoverlapping(block, moved, layout.size().min(new_size)) };
        // SAFETY: passed on.
        unsafe { self.give_back(tables, freer, block, layout) }
    }

    /// Closes a block's record, if it has one, and gives the block to the inner allocator as the latter knows it.
    ///
    /// # Safety
    /// As for [`Tracker::dealloc`].
    unsafe fn give_back(
        &self,
        tables: &Tables,
        freer: &Freer<'_, impl Heap>,
        block: *mut u8,
        layout: Layout,
    ) {
        let (base, inner) = match self.close(tables, block, freer.stock) {
            Some(closed) => {
                self.check_layout(&closed.block, layout);
                self.note_unmarked_gone(&closed);
                inner_of(&closed.block, block)
            }
            None => (block, layout),
        };
        // SAFETY: with a record, this is what was requested for the block; without one, the block is the inner
        // allocator's as it is, and the layout the one that the program gives for it.
        unsafe { freer.heap.dealloc(base, inner) }
    }

    /// Where a sampled block is to stand. `None` if it cannot be placed.
    fn place<H>(&self, caller: &Caller<'_, H>, layout: Layout) -> Option<Place> {
        let share = Control::share_of(caller.cells);
        if mark::is_always_looked_up(layout) || self.control.may_leave_unmarked(share) {
            return Some(Place::Plain);
        }
        mark::enlarged(layout).map(Place::Marked)
    }

    /// Records a sampled block that stands where the inner allocator put it, or null.
    fn record_plain<H>(
        &self,
        tables: &Tables,
        caller: &Caller<'_, H>,
        block: *mut u8,
        layout: Layout,
        blocks: f64,
    ) {
        let recorded = !block.is_null() && self.record(tables, caller, block, layout, None, blocks);
        if !recorded && !mark::is_always_looked_up(layout) {
            self.control
                .forget_unmarked(Control::share_of(caller.cells));
        }
    }

    /// Takes back what `Control::may_leave_unmarked` granted for a block that is gone.
    pub(super) fn note_unmarked_gone(&self, closed: &Closed) {
        if closed.block.mark.is_none() && !mark::is_always_looked_up(layout_of(&closed.block)) {
            self.control.forget_unmarked(closed.block.share);
        }
    }

    fn check_layout(&self, block: &LiveBlock, layout: Layout) {
        if layout_of(block) != layout {
            self.lost.count(Cause::LayoutMismatch);
        }
    }
}

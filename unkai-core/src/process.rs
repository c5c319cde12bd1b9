//! The process's own tracker, and the way to it from a façade.
//!
//! A process has one heap, so it has one profile: every `UnkaiGlobalAlloc` of a program counts here, and the settings of
//! the one that is used first hold. What a façade does on its fast path is three calls:
//!
//! ```text
//! let cells = unkai_core::process::cells();
//! if cells.count_alloc(size) { /* slow */ unkai_core::process::alloc(...) } else { inner.alloc(layout) }
//! ```
//!
//! Everything else is behind the functions of this module.

use std::alloc::Layout;
use std::time::Duration;

use crate::aside::aside;
use crate::config::Config;
use crate::heap::Heap;
use crate::losses::Cause;
use crate::probe::sampler::Plan;
use crate::probe::thread::{self, Standing};
use crate::probe::unwind;
use crate::snapshot::{Amount, LimitStatus, Sampling, Site, Snapshot, Totals};
use crate::store::cells::Cells;
use crate::tracker::{Account, Caller, Reason, Tracker};

pub use crate::probe::thread::cells;
pub use crate::probe::unwind::Registers;
pub use crate::tracker::Wake;

static TRACKER: Tracker = Tracker::new();

/// Serves an allocation whose count on `cells` said to look.
///
/// # Safety
/// As for [`Heap::alloc`]. `cells` is what [`cells()`] returned to this thread for this very operation, and it was counted
/// on them.
pub unsafe fn alloc<H: Heap>(
    heap: &H,
    config: &Config,
    cells: &'static Cells,
    registers: &Registers,
    layout: Layout,
    zeroed: bool,
) -> *mut u8 {
    if TRACKER.only_counts_alloc(cells, layout.size()) {
        // SAFETY: the caller's promise is passed on.
        return unsafe { heap.alloc(layout, zeroed) };
    }
    let claim = TRACKER.claim(config, cells);
    if !TRACKER.take_from_limit(config, claim, layout.size()) {
        return std::ptr::null_mut();
    }
    let block = match resolve(config, cells, |cells| cells.count_alloc(layout.size())) {
        Ok((cells, _)) => {
            let caller = Caller {
                heap,
                cells,
                registers,
            };
            // SAFETY: the caller's promise is passed on.
            unsafe { TRACKER.alloc(&caller, layout, zeroed) }
        }
        // SAFETY: the caller's promise is passed on.
        Err(account) => unsafe { TRACKER.alloc_without_cells(heap, layout, zeroed, account) },
    };
    if block.is_null() {
        TRACKER.give_to_limit(claim, layout.size());
    }
    block
}

/// Serves a free whose count on `cells` said to look.
///
/// # Safety
/// As for [`Heap::dealloc`], for a block that was served through this module or its fast path. `cells` as for [`alloc`].
pub unsafe fn dealloc<H: Heap>(
    heap: &H,
    config: &Config,
    cells: &'static Cells,
    registers: &Registers,
    block: *mut u8,
    layout: Layout,
) {
    let (address, size, align) = (block as usize, layout.size(), layout.align());
    if TRACKER.only_counts_dealloc(cells, address, size, align) {
        // SAFETY: the caller's promise is passed on: a block that is not sampled is the inner allocator's as it is.
        return unsafe { heap.dealloc(block, layout) };
    }
    let claim = TRACKER.claim(config, cells);
    let count = |cells: &Cells| cells.count_dealloc(address, size, align);
    match resolve(config, cells, count) {
        // SAFETY: the caller's promise is passed on: a block that is not looked up is the inner allocator's as it is.
        Ok((_, false)) => unsafe { heap.dealloc(block, layout) },
        Ok((cells, true)) => {
            let caller = Caller {
                heap,
                cells,
                registers,
            };
            // SAFETY: the caller's promise is passed on.
            unsafe { TRACKER.dealloc(&caller, block, layout) }
        }
        // SAFETY: the caller's promise is passed on.
        Err(account) => unsafe { TRACKER.dealloc_without_cells(heap, block, layout, account) },
    }
    TRACKER.give_to_limit(claim, size);
}

/// Serves a reallocation whose count on `cells` said to look.
///
/// # Safety
/// As for [`Heap::realloc`], for a block that was served through this module or its fast path. `cells` as for [`alloc`].
pub unsafe fn realloc<H: Heap>(
    heap: &H,
    config: &Config,
    cells: &'static Cells,
    registers: &Registers,
    block: *mut u8,
    layout: Layout,
    new_size: usize,
) -> *mut u8 {
    let (address, size, align) = (block as usize, layout.size(), layout.align());
    // The free first: it changes nothing that a longer look at both would miss.
    if TRACKER.only_counts_dealloc(cells, address, size, align)
        && TRACKER.only_counts_alloc(cells, new_size)
    {
        // SAFETY: the caller's promise is passed on: a block that is not sampled is the inner allocator's as it is.
        return unsafe { heap.realloc(block, layout, new_size) };
    }
    let claim = TRACKER.claim(config, cells);
    let (more, less) = (new_size.saturating_sub(size), size.saturating_sub(new_size));
    if !TRACKER.take_from_limit(config, claim, more) {
        return std::ptr::null_mut();
    }
    let count = |cells: &Cells| cells.count_realloc(address, size, align, new_size);
    let resized = match resolve(config, cells, count) {
        Ok((cells, _)) => {
            let caller = Caller {
                heap,
                cells,
                registers,
            };
            // SAFETY: the caller's promise is passed on.
            unsafe { TRACKER.realloc(&caller, block, layout, new_size) }
        }
        // SAFETY: the caller's promise is passed on.
        Err(account) => unsafe {
            TRACKER.realloc_without_cells(heap, block, layout, new_size, account)
        },
    };
    let grown = if resized.is_null() { more } else { less };
    TRACKER.give_to_limit(claim, grown);
    resized
}

/// The profile now.
///
/// Stops no thread. Takes a time proportional to the number of sites and live samples, and allocates its answer.
pub fn snapshot(config: &Config) -> Snapshot {
    TRACKER.start(config);
    aside(|| {
        unwind::refresh();
        TRACKER.snapshot()
    })
}

/// The exact totals now. Takes a time proportional to the number of threads alive at once so far; allocates nothing.
pub fn totals() -> Totals {
    TRACKER.totals()
}

/// Everything of the profile but its sites. Allocates nothing.
pub fn survey() -> Snapshot {
    TRACKER.survey()
}

/// Calls `visit` with each site of the profile, one after the other, in the place of `site`; the ages of live blocks are
/// left out.
///
/// Allocates nothing if the stack of `site` has room for [`MAX_FRAMES`](crate::MAX_FRAMES): for a dump when memory is
/// nearly gone. Takes less than a microsecond for each site.
///
/// ```
/// use unkai_core::{MAX_FRAMES, Site, process};
///
/// let mut site = Site::new(0, Vec::with_capacity(MAX_FRAMES));
/// let mut live_bytes = 0.0;
/// process::each_site(&mut site, |site| live_bytes += site.live.bytes);
/// assert_eq!(live_bytes, 0.0, "no allocator of this program is profiled");
/// ```
pub fn each_site(site: &mut Site, visit: impl FnMut(&Site)) {
    TRACKER.each_site(site, visit);
}

/// The most live bytes that any one call stack holds: an estimate. Some ns for each site; allocates nothing.
pub fn largest_site_bytes() -> f64 {
    TRACKER.largest_site_bytes()
}

/// Wakes whoever waits in [`wait`] when live bytes reach `live_bytes`, once; at once if they have. In place of any alarm
/// before; `None` for none.
///
/// Threads tell what they have allocated when they are beyond 64 KiB, so the alarm goes off before live bytes are above it by
/// 128 KiB for each thread with counters of its own, 64 KiB for all others together, and the block that is being allocated.
/// The allocation that sets the alarm off does nothing but
/// raise a flag and wake the sleeper: one system call, once. No alarm costs nothing.
pub fn set_alarm(live_bytes: Option<u64>) {
    TRACKER.set_alarm(live_bytes);
}

/// Waits until there is a reason to look, `timeout` at most, and says which. For one thread: reasons are told once.
pub fn wait(timeout: Duration) -> Wake {
    TRACKER.watcher().wait(timeout)
}

/// Wakes whoever waits in [`wait`]. May be called anywhere, from within a signal handler too.
pub fn wake() {
    TRACKER.watcher().raise(Reason::Called);
}

/// How blocks are chosen: what was set, by [`Config`] or by [`set_sampling`].
pub fn sampling() -> Sampling {
    TRACKER.sampling()
}

/// The limit of the process and how it stands to it; `None` without a limit. Costs what [`totals`] does.
pub fn limit() -> Option<LimitStatus> {
    TRACKER.limit_status(TRACKER.totals().live_bytes())
}

/// Sets the limit of the process in place of [`Config::limit`]; `None` for no limit. Whether requests are refused at it
/// stays as [`Config::refuse_at_limit`] says.
///
/// A limit below what is live takes nothing away: where requests are refused, all are until enough was freed.
pub fn set_limit(bytes: Option<u64>) {
    TRACKER.set_limit(bytes);
}

/// Stops taking samples. Totals go on, and frees of blocks that were sampled are seen.
pub fn pause() {
    TRACKER.set_paused(true);
}

/// Goes on taking samples after [`pause`].
pub fn resume() {
    TRACKER.set_paused(false);
}

/// Changes how blocks are chosen. Each thread follows after 64 KiB of allocation at most; estimates stay unbiased.
pub fn set_sampling(sampling: Sampling) {
    TRACKER.set_plan(Plan::new(sampling));
}

/// Whether anything in this process allocates through a façade of this module. Costs an allocation.
pub fn is_in_use() -> bool {
    // If the global allocator is such a façade, this box starts the tracker.
    drop(std::hint::black_box(Box::new(0u8)));
    TRACKER.is_started()
}

/// Takes over what a thread that had stepped aside leaves behind.
pub(crate) fn visit_ends(allocated: Amount, freed: Amount) {
    TRACKER.take_over(allocated, freed);
}

/// Takes the cells of a thread that ends.
pub(crate) fn thread_ends(cells: &'static Cells) {
    TRACKER.release_cells(cells);
}

/// The cells of this thread, counted on by the fast path or now, and whether a closer look is needed; or who is charged
/// instead.
fn resolve(
    config: &Config,
    cells: &'static Cells,
    count: impl FnOnce(&Cells) -> bool,
) -> Result<(&'static Cells, bool), Account> {
    match thread::standing_of(cells) {
        Standing::Registered(cells) => Ok((cells, true)),
        Standing::Charged(cells) => Ok((cells, count(cells))),
        Standing::Unregistered => {
            let charged = TRACKER.refuses_at_limit(config);
            let cells = thread::register(charged, || TRACKER.acquire_cells(config));
            let cells = cells.ok_or(Account::Shared(Cause::ThreadNotSampled))?;
            Ok((cells, count(cells)))
        }
        Standing::Inside => Err(Account::Shared(Cause::Reentered)),
        Standing::Shared => Err(Account::Shared(Cause::ThreadNotSampled)),
        Standing::Aside => Err(Account::Aside),
    }
}

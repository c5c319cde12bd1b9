//! The exact counters of one thread.
//!
//! Written by one thread with plain loads and stores (no locked instruction), read by any. What the fast path touches
//! lies in one cache line:
//!
//! ```text
//!            0        8       16        24       32       40        48         49..51   52        56
//! allocated: left   blocks  target │ freed: left  blocks  target │ mark_floor │        │ version │ given_up
//! ```
//!
//! A [`Meter`] counts bytes *down*: `left` says how many more may be counted before the slow path must look, and the
//! total is `target − left`. So one subtraction both counts and decides, and everything rare hides behind its sign:
//! a sample is due, totals are due for the peak, the thread is not registered yet, the block is large.
//!
//! `left` and `target` change together only in [`Cells::rearm`] and its like, under an odd `version`, so that a reader
//! never combines an old one with a new one.

use super::room::Stock;
use crate::snapshot::Amount;
use crate::sync::{AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering, fence};

/// Counters of one thread: exact totals in the first cache line, the sampler's state and links in the second.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub struct Cells {
    allocated: Meter,
    freed: Meter,
    /// A free goes to the slow path when the low byte of (address + alignment − 1) is at least this. Written by the owner
    /// and by whoever turns look-ups of every free on; 0 means every free.
    mark_floor: AtomicU8,
    /// Odd while `left` and `target` of a meter change together.
    version: AtomicU32,
    /// The version after the one at which a reader has waited in vain for the owner. Written by readers, seldom.
    given_up: AtomicU32,
    pub(crate) own: OwnerState,
}

// SAFETY: all fields are atomic integers, for which zero is valid; no `Drop`.
unsafe impl super::region::Zeroable for Cells {}

/// A count of bytes and blocks that only its owner changes.
#[derive(Debug, Default)]
#[repr(C)]
struct Meter {
    left: AtomicI64,
    blocks: AtomicU64,
    target: AtomicU64,
}

/// What only the owning thread uses. Atomic all the same, so that handing the cells to another thread needs no `unsafe`.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub(crate) struct OwnerState {
    /// State of the sampler's random numbers.
    pub(crate) random: AtomicU64,
    /// The plan (see `probe::sampler`) for which `until` was drawn.
    pub(crate) plan: AtomicU64,
    /// Bytes or blocks until the next sample, at the time of the last arming.
    pub(crate) until: AtomicU64,
    /// What `left` of the allocated meter was set to by the last arming.
    pub(crate) armed: AtomicI64,
    /// Live bytes of these cells as last told to the gauge of the peak. Swapped by any thread.
    pub(crate) published: AtomicI64,
    /// A stack node taken but not used, for the next need; 0 if none.
    pub(crate) spare_node: AtomicU32,
    /// Room in the table of live samples.
    pub(crate) live_stock: Stock,
    /// Link in the pool's list of free cells: index + 1.
    pub(crate) next_free: AtomicU32,
}

/// Which of the two meters.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Direction {
    Allocated,
    Freed,
}

impl Meter {
    /// Adds one block.
    #[inline(always)]
    fn count_block(&self) {
        // Single writer: a load and a store instead of a read-modify-write. Relaxed: a count is all there is to see.
        let blocks = self.blocks.load(Ordering::Relaxed);
        self.blocks.store(blocks.wrapping_add(1), Ordering::Relaxed);
    }

    fn total(&self) -> Amount {
        self.total_at(self.left.load(Ordering::Relaxed))
    }

    fn total_at(&self, left: i64) -> Amount {
        let target = self.target.load(Ordering::Relaxed);
        Amount {
            bytes: target.wrapping_sub(left as u64),
            blocks: self.blocks.load(Ordering::Relaxed),
        }
    }

    fn rearm(&self, left: i64) {
        let total = self.total().bytes;
        self.target
            .store(total.wrapping_add(left as u64), Ordering::Relaxed);
        self.left.store(left, Ordering::Relaxed);
    }

    /// Takes back one block and what it has left of the countdown.
    fn retract_large(&self, bytes: usize) {
        let total = self.total();
        // In this order: whoever reads in between, and takes what is left for zero, is off by the countdown at most.
        self.target
            .store(total.bytes.wrapping_sub(bytes as u64), Ordering::Relaxed);
        self.left.store(0, Ordering::Relaxed);
        self.blocks
            .store(total.blocks.wrapping_sub(1), Ordering::Relaxed);
    }

    /// Changes the total by so much, and leaves the countdown as it is.
    fn shift(&self, bytes: u64, blocks: u64) {
        let target = self.target.load(Ordering::Relaxed).wrapping_add(bytes);
        self.target.store(target, Ordering::Relaxed);
        let blocks = self.blocks.load(Ordering::Relaxed).wrapping_add(blocks);
        self.blocks.store(blocks, Ordering::Relaxed);
    }
}

impl Cells {
    /// Cells that count nothing real and send every operation to the slow path: the state of a thread that has none.
    #[cfg(not(loom))]
    pub(crate) const fn sentinel() -> Self {
        const fn meter() -> Meter {
            Meter {
                left: AtomicI64::new(SENTINEL),
                blocks: AtomicU64::new(0),
                target: AtomicU64::new(0),
            }
        }
        Self {
            allocated: meter(),
            freed: meter(),
            mark_floor: AtomicU8::new(0),
            version: AtomicU32::new(0),
            given_up: AtomicU32::new(0),
            own: OwnerState {
                random: AtomicU64::new(0),
                plan: AtomicU64::new(0),
                until: AtomicU64::new(0),
                armed: AtomicI64::new(0),
                published: AtomicI64::new(0),
                spare_node: AtomicU32::new(0),
                live_stock: Stock::empty(),
                next_free: AtomicU32::new(0),
            },
        }
    }

    /// Keeps a sentinel's countdown far below zero, whatever was subtracted from it.
    pub(crate) fn reset_sentinel(&self) {
        self.allocated.left.store(SENTINEL, Ordering::Relaxed);
        self.freed.left.store(SENTINEL, Ordering::Relaxed);
    }

    /// Counts an allocation of `bytes`. Returns whether the slow path must look.
    #[inline(always)]
    pub fn count_alloc(&self, bytes: usize) -> bool {
        self.allocated.count_block();
        self.count_down::<ALLOCATED>(bytes)
    }

    /// Counts a free of `bytes` at `address`, which was requested with alignment `align`. Returns whether the slow path
    /// must look.
    #[inline(always)]
    pub fn count_dealloc(&self, address: usize, bytes: usize, align: usize) -> bool {
        self.freed.count_block();
        self.count_down::<FREED>(bytes) || self.may_be_marked(address, align)
    }

    /// Counts a `realloc` from `old` to `new` bytes: a free and an allocation. Returns whether the slow path must look.
    #[inline(always)]
    pub fn count_realloc(&self, address: usize, old: usize, align: usize, new: usize) -> bool {
        // Both are always counted, so the first branch comes when they are.
        self.allocated.count_block();
        self.freed.count_block();
        let left = self.allocated.left.load(Ordering::Relaxed);
        self.allocated
            .left
            .store(left.wrapping_sub(new as i64), Ordering::Relaxed);
        self.count_down::<FREED>(old)
            || self.may_be_marked(address, align)
            || self.allocated.left.load(Ordering::Relaxed) < 0
    }

    /// Subtracts `bytes` from what is left of the meter that starts at `METER`. Returns whether that is below zero now.
    #[inline(always)]
    #[cfg(not(all(target_arch = "x86_64", not(any(loom, unkai_portable)))))]
    fn count_down<const METER: usize>(&self, bytes: usize) -> bool {
        let meter = if METER == ALLOCATED {
            &self.allocated
        } else {
            &self.freed
        };
        let left = meter
            .left
            .load(Ordering::Relaxed)
            .wrapping_sub(bytes as i64);
        meter.left.store(left, Ordering::Relaxed);
        left < 0
    }

    /// Subtracts `bytes` from what is left of the meter that starts at `METER`. Returns whether that is below zero now.
    ///
    /// The compiler does not branch on the flags of a subtraction in memory where that memory is atomic: it would load,
    /// subtract, store and test. Two instructions do.
    #[inline(always)]
    #[cfg(all(target_arch = "x86_64", not(any(loom, unkai_portable))))]
    fn count_down<const METER: usize>(&self, bytes: usize) -> bool {
        // SAFETY: one aligned word that lives as long as `self` is read and then written, each of which is atomic on this
        // architecture, as with the relaxed load and store of the portable version; no other writer exists. The block of
        // the label returns, so control never falls out of it. The stack is not touched; the flags are taken to change.
        unsafe {
            std::arch::asm!(
                "sub qword ptr [{cells} + {left}], {bytes}",
                "js {below_zero}",
                cells = in(reg) std::ptr::from_ref(self),
                left = const METER + std::mem::offset_of!(Meter, left),
                bytes = in(reg) bytes,
                below_zero = label { return true },
                options(nostack),
            );
        }
        false
    }

    /// Whether a block at `address` may be a marked one (see `tracker::mark`).
    #[inline(always)]
    #[cfg(not(all(target_arch = "x86_64", not(any(loom, unkai_portable)))))]
    pub(crate) fn may_be_marked(&self, address: usize, align: usize) -> bool {
        let end_of_alignment = address.wrapping_add(align).wrapping_sub(1) as u8;
        end_of_alignment >= self.mark_floor.load(Ordering::Relaxed)
    }

    /// Whether a block at `address` may be a marked one (see `tracker::mark`).
    ///
    /// Three instructions, where the compiler takes five: it sees that one byte is wanted, and computes in bytes.
    #[inline(always)]
    #[cfg(all(target_arch = "x86_64", not(any(loom, unkai_portable))))]
    pub(crate) fn may_be_marked(&self, address: usize, align: usize) -> bool {
        // SAFETY: one byte that lives as long as `self` is read, which is atomic on this architecture. The block of the
        // label returns, so control never falls out of it. The stack is not touched; the flags are taken to change.
        unsafe {
            std::arch::asm!(
                "lea eax, [{address} + {align} - 1]",
                "cmp al, byte ptr [{cells} + {floor}]",
                "jae {maybe}",
                address = in(reg) address,
                align = in(reg) align,
                cells = in(reg) std::ptr::from_ref(self),
                floor = const std::mem::offset_of!(Cells, mark_floor),
                out("rax") _,
                maybe = label { return true },
                options(nostack, readonly),
            );
        }
        false
    }

    pub(crate) fn set_mark_floor(&self, floor: u8, order: Ordering) {
        self.mark_floor.store(floor, order);
    }

    pub(crate) fn mark_floor(&self) -> u8 {
        self.mark_floor.load(Ordering::Relaxed)
    }

    /// What is left of a meter's countdown.
    pub(crate) fn left(&self, direction: Direction) -> i64 {
        self.meter(direction).left.load(Ordering::Relaxed)
    }

    /// Sets a meter's countdown to `left`, keeping its total. Owner only.
    pub(crate) fn rearm(&self, direction: Direction, left: i64) {
        self.change(|| self.meter(direction).rearm(left));
    }

    /// Takes back one block of `bytes` that was counted. Owner only.
    pub(crate) fn retract(&self, direction: Direction, bytes: usize) {
        let shift = (bytes as u64).wrapping_neg();
        self.change(|| self.meter(direction).shift(shift, u64::MAX));
    }

    /// Takes back one large block of `bytes` that was counted, and leaves nothing of the countdown, which is below zero by it.
    /// Owner only.
    pub(crate) fn retract_large(&self, direction: Direction, bytes: usize) {
        self.change(|| self.meter(direction).retract_large(bytes));
    }

    /// Counts one block of `bytes` without the countdown. Owner only.
    pub(crate) fn add(&self, direction: Direction, bytes: usize) {
        self.change(|| self.meter(direction).shift(bytes as u64, 1));
    }

    /// The totals of one meter, from any thread that is not inside an allocation: not torn, and exact if the owner is not
    /// counting just now.
    ///
    /// If the owner is in the middle of a change, or of a request to the inner allocator that has used up its countdown, this
    /// waits for it, asleep for the most part, so that it gets a processor: a tenth of a second and a little, once for
    /// each such state of the cells. Who comes later does not wait for an owner that has not moved since. After that the total
    /// is taken as it stands, and may be off by a countdown (64 KiB), not by a large block that is being asked for.
    ///
    /// An owner that never moves again is one that a forked child does not have, or one that is stopped. So in a child of a parent that
    /// forked while other threads were at such a place, the first look at each of their cells takes so long.
    pub(crate) fn read(&self, direction: Direction) -> Amount {
        for tried in 0..TRIES + YIELDS + SLEEPS {
            if let Some(total) = self.try_read(direction) {
                return total;
            }
            if self.is_given_up() {
                break;
            }
            wait(tried);
        }
        let version = self.version.load(Ordering::Relaxed);
        self.given_up
            .store(version.wrapping_add(1), Ordering::Relaxed);
        let meter = self.meter(direction);
        meter.total_at(meter.left.load(Ordering::Relaxed).max(0))
    }

    /// Whether a reader has waited in vain, and the owner has changed nothing since.
    fn is_given_up(&self) -> bool {
        let version = self.version.load(Ordering::Relaxed);
        self.given_up.load(Ordering::Relaxed) == version.wrapping_add(1)
    }

    /// The totals of one meter as [`Cells::read`] gives them, from within an allocation too: `None` if that would take a wait.
    fn read_now(&self, direction: Direction) -> Option<Amount> {
        for _ in 0..TRIES {
            let total = self.try_read(direction);
            if total.is_some() || self.is_given_up() {
                return total;
            }
            std::hint::spin_loop();
        }
        None
    }

    /// One try of [`Cells::read`]; `None` if the meter was changing, or its owner is about to look at what it has counted.
    pub(crate) fn try_read(&self, direction: Direction) -> Option<Amount> {
        // Acquire: pairs with the Release that ends `change`.
        let before = self.version.load(Ordering::Acquire);
        let meter = self.meter(direction);
        let left = meter.left.load(Ordering::Relaxed);
        let total = meter.total_at(left);
        // Acquire: keeps the loads above before the second look at `version`; pairs with the Release fence in `change`.
        fence(Ordering::Acquire);
        let unchanged = before.is_multiple_of(2) && self.version.load(Ordering::Relaxed) == before;
        // Below zero, a large block may have been counted that will not be granted.
        (unchanged && left >= 0).then_some(total)
    }

    /// Live bytes of these cells: what was allocated minus what was freed *through them* (it may be negative). `None` if the
    /// owner is at a place where one would have to wait for it, or frees all the time; nobody waits here, for this is asked
    /// inside allocations.
    pub(crate) fn live_bytes(&self) -> Option<i64> {
        let mut freed = self.read_now(Direction::Freed)?;
        for _ in 0..TRIES {
            let allocated = self.read_now(Direction::Allocated)?.bytes;
            // What was freed while this thread lost its processor is in neither: that would be more than there ever was.
            match self.read_now(Direction::Freed)? {
                same if same == freed => return Some(allocated.wrapping_sub(freed.bytes) as i64),
                now => freed = now,
            }
        }
        None
    }

    /// The same, for the owner: nobody else changes them.
    pub(crate) fn own_live_bytes(&self) -> Option<i64> {
        let total = |direction| {
            let meter = self.meter(direction);
            let left = meter.left.load(Ordering::Relaxed);
            (left >= 0).then(|| meter.total_at(left).bytes)
        };
        let freed = total(Direction::Freed)?;
        Some(total(Direction::Allocated)?.wrapping_sub(freed) as i64)
    }

    fn meter(&self, direction: Direction) -> &Meter {
        match direction {
            Direction::Allocated => &self.allocated,
            Direction::Freed => &self.freed,
        }
    }

    fn change(&self, change: impl FnOnce()) {
        let version = self.version.load(Ordering::Relaxed);
        self.version
            .store(version.wrapping_add(1), Ordering::Relaxed);
        // Release: the odd version is visible before any of the changes.
        fence(Ordering::Release);
        change();
        // Release: pairs with the Acquire in `try_read`.
        self.version
            .store(version.wrapping_add(2), Ordering::Release);
    }
}

/// Where the two meters start within the cells.
const ALLOCATED: usize = std::mem::offset_of!(Cells, allocated);
const FREED: usize = std::mem::offset_of!(Cells, freed);

/// Below zero, and it stays so whatever one request subtracts: the largest is `isize::MAX`. Each request resets it.
const SENTINEL: i64 = -1;

/// Tries without a wait: an owner that runs is through a change by then.
const TRIES: u32 = if cfg!(loom) { 1 } else { 64 };
/// Tries that let other threads go on.
const YIELDS: u32 = if cfg!(loom) { 1 } else { 64 };
/// Tries that are a millisecond apart: on a machine with many more threads than processors, an owner that was interrupted comes
/// back after some tens of them.
const SLEEPS: u32 = if cfg!(loom) { 0 } else { 100 };

/// Waits before another try, the longer the more were in vain.
fn wait(tried: u32) {
    if tried < TRIES {
        std::hint::spin_loop();
    } else if cfg!(loom) || tried < TRIES + YIELDS {
        crate::sync::yield_now();
    } else {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_fast_path_stays_in_one_cache_line() {
        assert_eq!(size_of::<Cells>(), 128);
        assert!(std::mem::offset_of!(Cells, version) + 4 <= 64);
        assert!(!std::mem::needs_drop::<Cells>());
    }

    #[test]
    fn rearming_keeps_the_total() {
        let cells = Cells::default();
        cells.rearm(Direction::Allocated, 100);
        assert!(!cells.count_alloc(60));
        assert!(!cells.count_alloc(40));
        assert!(cells.count_alloc(1));
        cells.rearm(Direction::Allocated, 5);
        assert_eq!(
            cells.read(Direction::Allocated),
            Amount {
                bytes: 101,
                blocks: 3
            }
        );
        cells.retract(Direction::Allocated, 1);
        assert_eq!(
            cells.read(Direction::Allocated),
            Amount {
                bytes: 100,
                blocks: 2
            }
        );
        assert_eq!(cells.left(Direction::Allocated), 5);
    }

    #[test]
    fn a_sentinel_always_asks() {
        let cells = Cells::sentinel();
        assert!(cells.count_alloc(1));
        assert!(cells.count_dealloc(16, 1, 1));
        cells.reset_sentinel();
        let largest = isize::MAX as usize;
        assert!(cells.count_realloc(16, largest, 1, largest));
        cells.reset_sentinel();
        assert!(cells.count_alloc(largest));
        cells.reset_sentinel();
        assert!(cells.count_dealloc(16, largest, 1));
        cells.reset_sentinel();
        assert!(cells.count_alloc(0));
    }

    /// Cells whose total is `bytes`, and whose owner stops in the middle of a change.
    fn stop_in_a_change(cells: &Cells, bytes: u64, stop: impl FnOnce()) {
        cells.rearm(Direction::Allocated, 63);
        cells.count_alloc(bytes as usize);
        cells.change(|| {
            let meter = &cells.allocated;
            // The first half of a `rearm`.
            meter.target.store(bytes + 1000, Ordering::Relaxed);
            stop();
            meter.left.store(1000, Ordering::Relaxed);
        });
    }

    #[test]
    fn a_reader_waits_for_an_owner_that_lost_its_processor() {
        let cells = Cells::default();
        let reading = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                stop_in_a_change(&cells, 8, || {
                    reading.wait();
                    std::thread::sleep(std::time::Duration::from_millis(30));
                });
            });
            reading.wait();
            assert_eq!(cells.read(Direction::Allocated).bytes, 8);
        });
    }

    #[test]
    fn an_owner_that_is_no_more_is_waited_for_once() {
        let cells = Cells::default();
        stop_in_a_change(&cells, 8, || {
            assert_eq!(cells.live_bytes(), None, "no wait, and no torn value");
            let start = std::time::SystemTime::now();
            // By a countdown at most.
            let bytes = cells.read(Direction::Allocated).bytes;
            assert!((8..=8 + 1000).contains(&bytes), "{bytes}");
            let once = start.elapsed().unwrap();
            let start = std::time::SystemTime::now();
            for _ in 0..1000 {
                assert_eq!(cells.read(Direction::Allocated).bytes, bytes);
            }
            let then = start.elapsed().unwrap();
            assert!(
                then < once,
                "{then:?} for 1000 reads after {once:?} for one"
            );
        });
        assert_eq!(cells.read(Direction::Allocated).bytes, 8);
        // It is waited for again, had it only been slow.
        assert!(!cells.is_given_up());
        assert_eq!(cells.live_bytes(), Some(8));
    }

    #[test]
    fn a_reader_never_sees_a_torn_total() {
        let cells = Cells::default();
        let stop = crate::sync::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut last = 0;
                while !stop.load(Ordering::Relaxed) {
                    let bytes = cells.read(Direction::Allocated).bytes;
                    assert!(bytes >= last, "{bytes} after {last}");
                    last = bytes;
                }
            });
            for _ in 0..2_000_000 {
                if cells.count_alloc(8) {
                    cells.rearm(Direction::Allocated, 63);
                }
            }
            stop.store(true, Ordering::Relaxed);
        });
        assert_eq!(
            cells.read(Direction::Allocated),
            Amount {
                bytes: 16_000_000,
                blocks: 2_000_000
            }
        );
    }
}

#[cfg(all(test, loom))]
mod models {
    use super::*;
    use loom::sync::Arc;

    fn model(run: impl Fn() + Send + Sync + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(2);
        builder.check(run);
    }

    /// With `left` of both countdowns.
    fn armed(left: i64) -> Arc<Cells> {
        let cells = Arc::new(Cells::default());
        cells.rearm(Direction::Allocated, left);
        cells.rearm(Direction::Freed, left);
        cells
    }

    /// What another thread reads while `owner` counts.
    fn read_beside<R: Send + 'static>(
        cells: &Arc<Cells>,
        read: impl FnOnce(&Cells) -> R + Send + 'static,
        owner: impl FnOnce(&Cells),
    ) -> R {
        let other = Arc::clone(cells);
        let reads = loom::thread::spawn(move || read(&other));
        owner(cells);
        reads.join().unwrap()
    }

    fn count_three(cells: &Cells) {
        assert!(!cells.count_alloc(8));
        assert!(cells.count_alloc(8));
        cells.rearm(Direction::Allocated, 20);
        assert!(!cells.count_alloc(8));
    }

    /// Within the bound of preemptions.
    #[test]
    fn a_total_is_one_that_was_and_totals_only_grow() {
        model(|| {
            let read = |cells: &Cells| {
                [(); 2].map(|()| {
                    cells
                        .try_read(Direction::Allocated)
                        .map(|total| total.bytes)
                })
            };
            let totals = read_beside(&armed(10), read, count_three);
            let totals: Vec<u64> = totals.into_iter().flatten().collect();
            assert!(totals.iter().all(|total| [0, 8, 16, 24].contains(total)));
            assert!(totals.is_sorted());
        });
    }

    /// Within the bound of preemptions. A reader that has waited in vain takes what it finds, which is off by a countdown at most,
    /// and never by the large block; and when the owner has moved on, totals are exact again.
    #[test]
    fn a_block_that_is_taken_back_is_in_no_total_whoever_gives_up() {
        model(|| {
            let cells = armed(10);
            let read = |cells: &Cells| cells.read(Direction::Allocated).bytes;
            let total = read_beside(&cells, read, |cells| {
                cells.count_alloc(4);
                cells.count_alloc(1000);
                cells.retract_large(Direction::Allocated, 1000);
            });
            assert!((-6..=14).contains(&(total as i64)), "{total}");
            assert_eq!(cells.live_bytes(), Some(4));
            // It is waited for again.
            cells.rearm(Direction::Allocated, 10);
            assert!(!cells.is_given_up());
        });
    }

    /// Within the bound of preemptions. Never more than eight are live: who reads is not to take what was freed before and what
    /// was allocated after.
    #[test]
    fn live_bytes_are_no_more_than_there_ever_were() {
        model(|| {
            let cells = armed(100);
            cells.count_alloc(8);
            let live = read_beside(&cells, Cells::live_bytes, |cells| {
                cells.count_dealloc(16, 8, 1);
                // So that others see what was freed before what is allocated next.
                cells.rearm(Direction::Allocated, 100);
                cells.count_alloc(8);
            });
            assert!(live.is_none_or(|live| live <= 8), "{live:?}");
            assert_eq!(cells.live_bytes(), Some(8));
        });
    }
}

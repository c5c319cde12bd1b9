//! A program in small: blocks with real contents on several "threads", over a heap that knows every block and refuses on
//! request, beside a naive count of what was asked for and granted.
//!
//! After each step the tracker's totals must be the naive ones, to the byte. The one exception is the documented one: a
//! request below 64 KiB that nobody looks at stays counted when it is refused.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use super::*;
use crate::snapshot::Amount;
use crate::tracker::limit::Claim;

/// Which requests the heap refuses.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refuses {
    Nothing,
    /// The request with this number, of all that reach the heap; the first is 1.
    Request(u64),
    /// One request in so many, by chance.
    OneIn(u64),
}

/// A heap that panics when a block does not come back as it was taken, and that refuses some requests.
#[derive(Debug)]
pub(super) struct Faulty {
    blocks: RefCell<HashMap<usize, Layout>>,
    refuses: Cell<Refuses>,
    random: Cell<Random>,
    requests: Cell<u64>,
}

impl Faulty {
    fn new(refuses: Refuses) -> Self {
        Self {
            blocks: RefCell::default(),
            refuses: Cell::new(refuses),
            random: Cell::new(Random::new(7)),
            requests: Cell::new(0),
        }
    }

    fn refuses(&self, size: usize) -> bool {
        self.requests.set(self.requests.get() + 1);
        let refuses = match self.refuses.get() {
            Refuses::Nothing => false,
            Refuses::Request(number) => self.requests.get() == number,
            Refuses::OneIn(number) => {
                let mut random = self.random.get();
                let refuses = random.next().is_multiple_of(number);
                self.random.set(random);
                refuses
            }
        };
        // As every allocator does.
        refuses || size > IMPOSSIBLE
    }

    fn give(&self, block: *mut u8, layout: Layout) -> *mut u8 {
        assert!(!block.is_null(), "the machine has memory");
        let known = self.blocks.borrow_mut().insert(block as usize, layout);
        assert_eq!(known, None, "a block was given twice");
        block
    }

    fn take(&self, block: *mut u8, layout: Layout) {
        let known = self.blocks.borrow_mut().remove(&(block as usize));
        assert_eq!(known, Some(layout), "not as it was taken");
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        for (&block, &layout) in self.blocks.get_mut().iter() {
            // SAFETY: it came from `System` with this layout, and whoever used it has ended.
            unsafe { System.dealloc(block as *mut u8, layout) };
        }
    }
}

// SAFETY: every call goes to `System` as it came, or is refused.
unsafe impl Heap for Faulty {
    unsafe fn alloc(&self, layout: Layout, zeroed: bool) -> *mut u8 {
        if self.refuses(layout.size()) {
            return std::ptr::null_mut();
        }
        let block = if zeroed {
            // SAFETY: passed on.
            unsafe { System.alloc_zeroed(layout) }
        } else {
            // SAFETY: passed on.
            unsafe { System.alloc(layout) }
        };
        self.give(block, layout)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.take(block, layout);
        // SAFETY: passed on.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if self.refuses(new_size) {
            return std::ptr::null_mut();
        }
        self.take(block, layout);
        // SAFETY: passed on.
        let resized = unsafe { System.realloc(block, layout, new_size) };
        let wanted = Layout::from_size_align(new_size, layout.align());
        self.give(resized, wanted.expect("checked by the caller"))
    }
}

/// Requests above this are refused.
const IMPOSSIBLE: usize = 1 << 30;

/// A block of the program: every byte of it is `fill`.
#[derive(Debug)]
struct Block {
    start: *mut u8,
    layout: Layout,
    fill: u8,
}

impl Block {
    fn bytes(&self) -> &[u8] {
        // SAFETY: the program holds the block, and has written all of it.
        unsafe { std::slice::from_raw_parts(self.start, self.layout.size()) }
    }

    #[track_caller]
    fn check(&self) {
        assert!(is_all(self.bytes(), self.fill), "changed: {self:?}");
    }

    fn fill(&mut self, fill: u8) {
        self.fill = fill;
        // SAFETY: the program holds the block.
        unsafe { self.start.write_bytes(fill, self.layout.size()) };
    }
}

/// In words, since tests are built without optimisation too.
fn is_all(bytes: &[u8], byte: u8) -> bool {
    // SAFETY: any bytes are valid words.
    let (before, words, after) = unsafe { bytes.align_to::<u64>() };
    let word = u64::from_ne_bytes([byte; 8]);
    let edges = before.iter().chain(after);
    edges.copied().all(|other| other == byte) && words.iter().all(|other| *other == word)
}

/// What the program does next. Indices are taken modulo the number of blocks or threads there are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Alloc {
        thread: usize,
        size: usize,
        align: usize,
        zeroed: bool,
    },
    Realloc {
        thread: usize,
        block: usize,
        size: usize,
    },
    Free {
        thread: usize,
        block: usize,
    },
    SetSampling(Sampling),
    SetPaused(bool),
    SetLimit(Option<u64>),
    Snapshot,
    /// Looks at the totals.
    Compare,
}

/// How an operation is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    /// By the fast path, or the short way out of the slow one: nobody looks at the answer.
    Unseen,
    Looked,
}

pub(super) struct Program<'t> {
    tracker: &'t Tracker,
    config: Config,
    heap: Faulty,
    /// One that has no cells counts on the shared counters.
    threads: Vec<Option<&'t Cells>>,
    blocks: Vec<Block>,
    limit: Option<u64>,
    /// What the tracker must say.
    allocated: Amount,
    freed: Amount,
    refused: u64,
    peak: i64,
    /// Requests that were refused and stay counted.
    pub(super) unseen: u64,
    /// Whether totals are compared after each step. They bring the peak up to date, so that is not put to the test then.
    pub(super) compares: bool,
}

impl<'t> Program<'t> {
    /// With `threads` that have cells, and one that has none.
    pub(super) fn new(
        tracker: &'t Tracker,
        config: Config,
        threads: usize,
        refuses: Refuses,
    ) -> Self {
        let with_cells = (0..threads).map(|_| tracker.acquire_cells(&config));
        Self {
            tracker,
            config,
            heap: Faulty::new(refuses),
            threads: with_cells.chain([None]).collect(),
            blocks: Vec::new(),
            limit: config.get_limit(),
            allocated: Amount::default(),
            freed: Amount::default(),
            refused: 0,
            peak: 0,
            unseen: 0,
            compares: true,
        }
    }

    /// Requests that have reached the heap.
    pub(super) fn requests(&self) -> u64 {
        self.heap.requests.get()
    }

    pub(super) fn refuse(&self, refuses: Refuses) {
        self.heap.refuses.set(refuses);
    }

    pub(super) fn blocks(&self) -> usize {
        self.blocks.len()
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused + self.unseen
    }

    pub(super) fn allocated(&self) -> Amount {
        self.allocated
    }

    /// Takes the step. A request that is refused is made again: by then the heap must grant it, unless it refuses by chance
    /// or the limit is reached.
    #[inline(never)]
    pub(super) fn take(&mut self, step: Step) {
        match step {
            Step::Alloc {
                thread,
                size,
                align,
                zeroed,
            } => {
                let layout = Layout::from_size_align(size, align).expect("a layout");
                if !self.alloc(thread, layout, zeroed) {
                    let granted = self.alloc(thread, layout, zeroed);
                    assert!(granted || !self.must_be_granted(size), "{step:?}");
                }
            }
            Step::Realloc {
                thread,
                block,
                size,
            } => {
                let Some(index) = block.checked_rem(self.blocks.len()) else {
                    return;
                };
                if !self.realloc(thread, index, size) {
                    let granted = self.realloc(thread, index, size);
                    let more = size.saturating_sub(self.blocks[index].layout.size());
                    let asked = if more > 0 { size } else { 0 };
                    assert!(granted || !self.must_be_granted(asked), "{step:?}");
                }
            }
            Step::Free { thread, block } => {
                if let Some(index) = block.checked_rem(self.blocks.len()) {
                    self.free(thread, index);
                }
            }
            Step::SetSampling(sampling) => self.tracker.set_plan(Plan::new(sampling)),
            Step::SetPaused(paused) => self.tracker.set_paused(paused),
            Step::SetLimit(limit) => {
                self.limit = limit;
                self.tracker.set_limit(limit);
            }
            Step::Snapshot => {
                let snapshot = self.tracker.snapshot();
                self.check_sites(&snapshot);
            }
            Step::Compare => self.compare(),
        }
        if self.compares {
            self.compare();
        }
    }

    /// The totals are the naive ones.
    #[track_caller]
    pub(super) fn compare(&self) {
        let totals = self.tracker.totals();
        assert_eq!(
            (totals.allocated, totals.freed, totals.refused_requests),
            (self.allocated, self.freed, self.refused)
        );
        let peak = totals.peak_live_bytes as i64;
        let error = totals.peak_error_bytes as i64;
        assert!(
            (self.peak - error..=self.peak + error).contains(&peak),
            "peak {peak} ± {error}, but it was {}",
            self.peak
        );
    }

    /// Frees all blocks: then nothing is left anywhere.
    pub(super) fn end(mut self) -> Snapshot {
        self.free_all();
        self.compare();
        assert!(self.heap.blocks.borrow().is_empty());
        let snapshot = self.tracker.snapshot();
        self.check_sites(&snapshot);
        for site in &snapshot.sites {
            let live = site.live;
            assert_eq!((live.samples, live.bytes, live.blocks), (0, 0.0, 0.0));
            assert_eq!(site.ages.total(), 0.0);
        }
        assert_eq!(snapshot.own_memory.live_blocks.entries, 0);
        snapshot
    }

    pub(super) fn free_all(&mut self) {
        while !self.blocks.is_empty() {
            self.free(self.blocks.len(), 0);
        }
    }

    /// Sites hold together: what is live was allocated, what was freed has a lifetime, and each live sample has a record.
    fn check_sites(&self, snapshot: &Snapshot) {
        let mut live = 0;
        for site in &snapshot.sites {
            assert!(site.live.samples >= 0 && site.live.samples <= site.allocated.samples);
            assert!(site.live.bytes >= 0.0 && site.live.bytes <= site.allocated.bytes);
            let gone = site.allocated.blocks - site.live.blocks;
            let (ended, ages) = (site.lifetimes.total(), site.ages.total());
            assert!((ended - gone).abs() <= 1e-6 * gone.max(1.0), "{site:?}");
            let rounding = site.live.samples as f64 / 65_536.0 + 1e-6 * ages;
            assert!((ages - site.live.blocks).abs() <= rounding, "{site:?}");
            live += site.live.samples;
        }
        assert_eq!(live as u64, snapshot.own_memory.live_blocks.entries);
        assert!(live as usize <= self.blocks.len());
    }

    fn live(&self) -> i64 {
        self.allocated.bytes.wrapping_sub(self.freed.bytes) as i64
    }

    /// Whether nothing stands in the way of a request that was refused a moment ago.
    fn must_be_granted(&self, size: usize) -> bool {
        !matches!(self.heap.refuses.get(), Refuses::OneIn(_))
            && size <= IMPOSSIBLE
            && (size == 0 || !self.config.get_refuse_at_limit())
    }

    fn thread(&self, thread: usize) -> Option<&'t Cells> {
        self.threads[thread % self.threads.len()]
    }

    fn claim(&self) -> Claim {
        if self.config.get_refuse_at_limit() {
            Claim::Bounded
        } else {
            Claim::None
        }
    }

    /// Whether the process's limit has room for so many bytes more, as is asked before anything else.
    fn take_from_limit(&mut self, bytes: usize) -> bool {
        let taken = self
            .tracker
            .take_from_limit(&self.config, self.claim(), bytes);
        let room = self.limit.is_none_or(|limit| {
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            self.live().saturating_add(bytes as i64) <= limit
        });
        let expected = self.claim() == Claim::None || bytes == 0 || room;
        assert_eq!(taken, expected, "{bytes} of {:?}", self.limit);
        if !taken {
            self.refused += 1;
        }
        taken
    }

    fn grant(&mut self, allocated: usize, freed: Option<usize>) {
        if let Some(freed) = freed {
            self.freed.bytes = self.freed.bytes.wrapping_add(freed as u64);
            self.freed.blocks += 1;
        }
        self.allocated.bytes = self.allocated.bytes.wrapping_add(allocated as u64);
        self.allocated.blocks += 1;
        self.peak = self.peak.max(self.live());
    }

    /// A refused request that nobody has looked at stays counted; that may only be where it is said to be so.
    fn refuse_one(&mut self, path: Path, allocated: usize, freed: Option<usize>) {
        if path == Path::Looked {
            self.refused += 1;
            return;
        }
        assert!(!self.config.get_check_every_allocation());
        assert!(allocated < mark::LARGE && freed.unwrap_or(0) < mark::LARGE);
        self.unseen += 1;
        self.grant(allocated, freed);
    }

    fn alloc(&mut self, thread: usize, layout: Layout, zeroed: bool) -> bool {
        if !self.take_from_limit(layout.size()) {
            return false;
        }
        let (start, path) = self.ask(thread, layout, zeroed);
        if start.is_null() {
            self.tracker.give_to_limit(self.claim(), layout.size());
            self.refuse_one(path, layout.size(), None);
            return false;
        }
        self.grant(layout.size(), None);
        let mut block = Block {
            start,
            layout,
            fill: 0,
        };
        assert!((start as usize).is_multiple_of(layout.align()));
        if zeroed {
            block.check();
        }
        block.fill(self.allocated.blocks as u8);
        self.blocks.push(block);
        true
    }

    #[inline(never)]
    fn ask(&self, thread: usize, layout: Layout, zeroed: bool) -> (*mut u8, Path) {
        let registers = Registers::capture();
        let (heap, size) = (&self.heap, layout.size());
        let Some(cells) = self.thread(thread) else {
            // SAFETY: the layout is not empty.
            let block = unsafe {
                self.tracker
                    .alloc_without_cells(heap, layout, zeroed, WITHOUT_CELLS)
            };
            return (block, Path::Looked);
        };
        let looks = cells.count_alloc(size);
        if self.claim() == Claim::None && (!looks || self.tracker.only_counts_alloc(cells, size)) {
            // SAFETY: the layout is not empty.
            return (unsafe { heap.alloc(layout, zeroed) }, Path::Unseen);
        }
        let caller = Caller {
            heap,
            cells,
            registers: &registers,
        };
        // SAFETY: the layout is not empty.
        let block = unsafe { self.tracker.alloc(&caller, layout, zeroed) };
        (block, Path::Looked)
    }

    fn realloc(&mut self, thread: usize, index: usize, new_size: usize) -> bool {
        let (size, align) = (
            self.blocks[index].layout.size(),
            self.blocks[index].layout.align(),
        );
        self.blocks[index].check();
        let (more, less) = (new_size.saturating_sub(size), size.saturating_sub(new_size));
        if !self.take_from_limit(more) {
            return false;
        }
        let (start, path) = self.ask_again(thread, index, new_size);
        if start.is_null() {
            self.tracker.give_to_limit(self.claim(), more);
            self.blocks[index].check();
            self.refuse_one(path, new_size, Some(size));
            return false;
        }
        self.tracker.give_to_limit(self.claim(), less);
        self.grant(new_size, Some(size));
        let layout = Layout::from_size_align(new_size, align).expect("it was granted");
        let fill = self.allocated.blocks as u8;
        let block = &mut self.blocks[index];
        let kept = Layout::from_size_align(size.min(new_size), align).expect("it is smaller");
        (block.start, block.layout) = (start, kept);
        assert!((start as usize).is_multiple_of(align));
        block.check();
        block.layout = layout;
        block.fill(fill);
        true
    }

    #[inline(never)]
    fn ask_again(&self, thread: usize, index: usize, new_size: usize) -> (*mut u8, Path) {
        let registers = Registers::capture();
        let Block { start, layout, .. } = self.blocks[index];
        let (address, size, align) = (start as usize, layout.size(), layout.align());
        let (heap, tracker) = (&self.heap, self.tracker);
        let Some(cells) = self.thread(thread) else {
            // SAFETY: the program holds the block, and uses it no more if it is answered.
            let block = unsafe {
                tracker.realloc_without_cells(heap, start, layout, new_size, WITHOUT_CELLS)
            };
            return (block, Path::Looked);
        };
        let looks = cells.count_realloc(address, size, align, new_size);
        let only_counts = || {
            tracker.only_counts_dealloc(cells, address, size, align)
                && tracker.only_counts_alloc(cells, new_size)
        };
        if self.claim() == Claim::None && (!looks || only_counts()) {
            // SAFETY: as above; the block is not a sample.
            let block = unsafe { heap.realloc(start, layout, new_size) };
            return (block, Path::Unseen);
        }
        let caller = Caller {
            heap,
            cells,
            registers: &registers,
        };
        // SAFETY: as above.
        let block = unsafe { tracker.realloc(&caller, start, layout, new_size) };
        (block, Path::Looked)
    }

    #[inline(never)]
    fn free(&mut self, thread: usize, index: usize) {
        let registers = Registers::capture();
        let block = self.blocks.swap_remove(index);
        block.check();
        let Block { start, layout, .. } = block;
        let (address, size, align) = (start as usize, layout.size(), layout.align());
        let (heap, tracker) = (&self.heap, self.tracker);
        self.freed.bytes = self.freed.bytes.wrapping_add(size as u64);
        self.freed.blocks += 1;
        match self.thread(thread) {
            // SAFETY: the program held the block, and uses it no more.
            None => unsafe {
                tracker.dealloc_without_cells(heap, start, layout, WITHOUT_CELLS);
            },
            Some(cells) => {
                let looks = cells.count_dealloc(address, size, align);
                if !looks
                    || self.claim() == Claim::None
                        && tracker.only_counts_dealloc(cells, address, size, align)
                {
                    // SAFETY: as above; the block is not a sample.
                    unsafe { heap.dealloc(start, layout) };
                } else {
                    let caller = Caller {
                        heap,
                        cells,
                        registers: &registers,
                    };
                    // SAFETY: as above.
                    unsafe { tracker.dealloc(&caller, start, layout) };
                }
            }
        }
        tracker.give_to_limit(self.claim(), size);
    }
}

const WITHOUT_CELLS: Account = Account::Shared(Cause::ThreadNotSampled);

/// Steps of a workload that has everything: sizes from a byte to some pieces of 64 KiB and more, all alignments up to 64
/// KiB, zeroed blocks, blocks that grow, shrink and move, frees on other threads.
pub(super) fn random_step(random: &mut Random) -> Step {
    let mut below = |limit: usize| (random.next() % limit as u64) as usize;
    let size = match below(20) {
        0 => mark::LARGE + below(200_000),
        1 => mark::LARGE - 1 + below(2),
        2..6 => 1 + below(20_000),
        _ => 1 + below(600),
    };
    let align = match below(8) {
        0 => 1 << below(17),
        1 => 16,
        _ => 8,
    };
    let (thread, block) = (below(64), below(1 << 20));
    match below(100) {
        0..45 => Step::Alloc {
            thread,
            size,
            align,
            zeroed: below(3) == 0,
        },
        45..70 => Step::Realloc {
            thread,
            block,
            size,
        },
        _ => Step::Free { thread, block },
    }
}

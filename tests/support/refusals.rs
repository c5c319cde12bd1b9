//! The inner allocator refuses each request of a run in turn: what the program then sees, and what is counted.

use std::alloc::{GlobalAlloc, Layout};

use super::checking::Checking;
use super::outer::Outer;
use super::random::Random;
use unkai::{Cause, UnkaiGlobalAlloc};

/// The heap of a test: counted from outside, checked from inside.
pub type Heap = Outer<UnkaiGlobalAlloc<Checking>>;

/// A run of mixed requests, played again and again.
pub struct Runs {
    heap: &'static Heap,
    /// Whether every refusal is to be seen, of small requests too.
    checks: bool,
    /// What the totals are too high by: requests that were refused and that nobody looked at, as is said of them.
    excess: [u64; 4],
    /// How many these were, and how many others.
    pub unseen: u64,
    pub seen: u64,
}

/// One block; all of it is filled with one byte.
#[derive(Debug)]
struct Block {
    start: *mut u8,
    layout: Layout,
    fill: u8,
}

impl Block {
    fn check(&self, length: usize) {
        // SAFETY: the block is held, and was filled.
        let bytes = unsafe { std::slice::from_raw_parts(self.start, length) };
        assert!(bytes.iter().all(|byte| *byte == self.fill), "{self:?}");
    }

    fn fill(&mut self, fill: u8) {
        self.fill = fill;
        // SAFETY: the block is held.
        unsafe { self.start.write_bytes(fill, self.layout.size()) };
    }
}

/// From here on a request is always looked at.
const LARGE: usize = 64 << 10;
const OPERATIONS: usize = 100;

impl Runs {
    pub fn new(heap: &'static Heap, checks: bool) -> Self {
        Self {
            heap,
            checks,
            excess: [0; 4],
            unseen: 0,
            seen: 0,
        }
    }

    /// Refuses each request of a run in turn, then some by chance.
    pub fn play(&mut self, seed: u64) {
        // Room for the run, before anything is counted.
        let mut blocks = Vec::with_capacity(OPERATIONS);
        // Which requests there are depends a little on the samples, so some more than there were.
        let before = self.heap.inner.inner().calls();
        self.run(seed, &mut blocks);
        let requests = self.heap.inner.inner().calls() - before;
        for number in 1..requests + 10 {
            self.heap.inner.inner().refuse_call(number);
            self.run(seed, &mut blocks);
            self.heap.inner.inner().refuse_call(0);
        }
        for one_in in [2, 5, 30] {
            self.heap.inner.inner().refuse_by_chance(one_in);
            (0..20).for_each(|round| self.run(seed + round, &mut blocks));
            self.heap.inner.inner().refuse_by_chance(0);
        }
        self.nothing_is_amiss();
    }

    fn run(&mut self, seed: u64, blocks: &mut Vec<Block>) {
        let mut random = Random::new(seed);
        for _ in 0..OPERATIONS {
            let most = if random.below(12) == 0 { 300_000 } else { 3000 };
            let size = random.size(most);
            match random.below(10) {
                0..5 => {
                    let align = 1 << random.below(13);
                    let layout = Layout::from_size_align(size, align).expect("a layout");
                    let zeroed = random.below(3) == 0;
                    // A request that was refused works when it is made again, but by chance.
                    let granted = (0..2).find_map(|_| self.alloc(layout, zeroed));
                    if let Some(mut block) = granted {
                        if zeroed {
                            block.check(size);
                        }
                        block.fill(random.next() as u8);
                        blocks.push(block);
                    }
                }
                5..8 if !blocks.is_empty() => {
                    let index = random.below(blocks.len() as u64) as usize;
                    let _ = self.realloc(&mut blocks[index], size)
                        || self.realloc(&mut blocks[index], size);
                    blocks[index].fill(random.next() as u8);
                }
                _ => {
                    if let Some(block) = blocks.pop() {
                        self.free(block);
                    }
                }
            }
        }
        blocks.drain(..).for_each(|block| self.free(block));
    }

    fn alloc(&mut self, layout: Layout, zeroed: bool) -> Option<Block> {
        let refused = self.refused();
        let start = if zeroed {
            // SAFETY: the layout is not empty.
            unsafe { self.heap.alloc_zeroed(layout) }
        } else {
            // SAFETY: the layout is not empty.
            unsafe { self.heap.alloc(layout) }
        };
        if start.is_null() {
            self.note_refusal(refused, layout.size(), None);
        }
        self.compare();
        assert!((start as usize).is_multiple_of(layout.align()));
        (!start.is_null()).then_some(Block {
            start,
            layout,
            fill: 0,
        })
    }

    fn realloc(&mut self, block: &mut Block, new_size: usize) -> bool {
        let refused = self.refused();
        let size = block.layout.size();
        block.check(size);
        // SAFETY: the block is held, with this layout.
        let start = unsafe { self.heap.realloc(block.start, block.layout, new_size) };
        if start.is_null() {
            self.note_refusal(refused, new_size, Some(size));
            block.check(size);
        } else {
            let align = block.layout.align();
            block.start = start;
            block.layout = Layout::from_size_align(new_size, align).expect("it was granted");
            block.check(size.min(new_size));
            assert!((start as usize).is_multiple_of(align));
        }
        self.compare();
        !start.is_null()
    }

    fn free(&self, block: Block) {
        block.check(block.layout.size());
        // SAFETY: the block is held, with this layout, and is gone afterwards.
        unsafe { self.heap.dealloc(block.start, block.layout) };
        self.compare();
    }

    fn refused(&self) -> u64 {
        self.heap.inner.usage().refused_requests
    }

    /// A refusal is counted, and the request is not; or, as is said, a small request stays counted and the refusal is not.
    fn note_refusal(&mut self, before: u64, allocated: usize, freed: Option<usize>) {
        if self.refused() == before + 1 {
            self.seen += 1;
            return;
        }
        assert_eq!(self.refused(), before);
        assert!(!self.checks && allocated.max(freed.unwrap_or(0)) < LARGE);
        self.unseen += 1;
        let [bytes, blocks, freed_bytes, freed_blocks] = &mut self.excess;
        *bytes += allocated as u64;
        *blocks += 1;
        *freed_bytes += freed.unwrap_or(0) as u64;
        *freed_blocks += u64::from(freed.is_some());
    }

    fn compare(&self) {
        let usage = self.heap.inner.usage();
        let (allocated, freed) = (self.heap.allocated(), self.heap.freed());
        let counted = [allocated.0, allocated.1, freed.0, freed.1];
        let expected: [u64; 4] = std::array::from_fn(|part| counted[part] + self.excess[part]);
        let totals = [
            usage.allocated.bytes,
            usage.allocated.blocks,
            usage.freed.bytes,
            usage.freed.blocks,
        ];
        assert_eq!(totals, expected);
    }

    fn nothing_is_amiss(&self) {
        let snapshot = self.heap.aside(UnkaiGlobalAlloc::snapshot);
        for cause in [
            Cause::FreeMissed,
            Cause::LayoutMismatch,
            Cause::LiveTableFull,
            Cause::Reentered,
        ] {
            assert_eq!(snapshot.losses.of(cause), 0, "{cause:?}");
        }
        assert_eq!(self.heap.nested(), 0);
        let samples: i64 = snapshot.sites.iter().map(|site| site.live.samples).sum();
        assert!(
            samples < 200,
            "the blocks are gone, but {samples} samples are not"
        );
        let blocks = self.heap.inner.inner().live_blocks();
        // What the harness itself holds.
        assert!(blocks < 500, "{blocks} blocks are live");
    }
}

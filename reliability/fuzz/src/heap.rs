//! Bytes as the operations of a program on a heap under unkai, beside a model of that heap: a list of blocks.
//!
//! After each operation totals must be those of the model to the byte, what is refused must be what the model refuses, and
//! each block must be aligned, hold what was written and lie apart from all others. In the end the allocator beneath has
//! everything back, and no sample is left. The profiler is the process's one: samples are drawn from random numbers that
//! go on from one input to the next.

use std::alloc::{GlobalAlloc, Layout};

use unkai_core::{Sampling, Totals, process};
use unkai_global::UnkaiGlobalAlloc;

use crate::checking::Checking;
use crate::choices::Choices;

/// Up to 1 MiB.
const SIZE_BITS: usize = 20;
/// Up to 64 KiB.
const ALIGNMENTS: usize = 17;
/// A program that holds more frees instead.
const MOST_BYTES: usize = 16 << 20;
const MOST_STEPS: usize = 600;
/// Of smaller ones, it is not seen that the allocator beneath refused them.
const SEEN_TO_BE_REFUSED: usize = 64 << 10;

/// Does to `heap` what `input` says. `limit` if requests are refused beyond it: that is the one it begins with.
pub fn play(heap: &'static UnkaiGlobalAlloc<Checking>, limit: Option<u64>, input: &[u8]) {
    process::resume();
    process::set_limit(limit);
    // Only a process that has allocated has a limit.
    heap.snapshot();
    let mut program = Program {
        heap,
        before: heap.usage(),
        refuses: limit.is_some(),
        limit: limit.unwrap_or(u64::MAX) as usize,
        blocks: Vec::new(),
        live: 0,
        allocated: [0; 2],
        freed: [0; 2],
    };
    let mut choices = Choices::of(input);
    program.set_sampling(&mut choices);
    for _ in 0..MOST_STEPS {
        if choices.is_over() {
            break;
        }
        program.step(&mut choices);
    }
    program.end();
}

struct Program {
    heap: &'static UnkaiGlobalAlloc<Checking>,
    before: Totals,
    refuses: bool,
    limit: usize,
    blocks: Vec<Block>,
    live: usize,
    /// Bytes and blocks, as below.
    allocated: [u64; 2],
    freed: [u64; 2],
}

/// A block of the program, and the byte that it is filled with.
struct Block {
    address: usize,
    layout: Layout,
    fill: u8,
}

impl Program {
    fn step(&mut self, choices: &mut Choices<'_>) {
        match choices.below(32) {
            0 => self.set_sampling(choices),
            1 => process::pause(),
            2 => process::resume(),
            3 => self.set_limit(choices),
            4 => self.look(),
            5 => {
                // A thread of which nothing is left but what it did.
                std::thread::scope(|scope| {
                    let steps = || (0..3).for_each(|_| self.operate(choices));
                    scope.spawn(steps).join().expect("no check failed");
                });
            }
            _ => self.operate(choices),
        }
        self.compare();
    }

    fn operate(&mut self, choices: &mut Choices<'_>) {
        let any = choices.below(256);
        match choices.below(8) {
            0..2 if !self.blocks.is_empty() => {
                let block = self.blocks.swap_remove(any % self.blocks.len());
                self.free(block);
            }
            2..4 if !self.blocks.is_empty() => {
                let size = choices.size(SIZE_BITS);
                let refused = any > 250 && size >= SEEN_TO_BE_REFUSED;
                self.resize(any % self.blocks.len(), size, refused);
            }
            _ if self.live > MOST_BYTES => {
                for block in std::mem::take(&mut self.blocks) {
                    self.free(block);
                }
            }
            zeroed => {
                let size = choices.size(SIZE_BITS);
                let refused = any > 250 && size >= SEEN_TO_BE_REFUSED;
                let align = 1 << choices.below(ALIGNMENTS);
                let layout = Layout::from_size_align(size, align).expect("a layout");
                self.allocate(layout, zeroed % 2 == 0, any as u8, refused);
            }
        }
    }

    fn allocate(&mut self, layout: Layout, zeroed: bool, fill: u8, refused: bool) {
        self.heap.inner().refuse(refused);
        let block = if zeroed {
            // SAFETY: the layout is not empty.
            unsafe { self.heap.alloc_zeroed(layout) }
        } else {
            // SAFETY: as above.
            unsafe { self.heap.alloc(layout) }
        };
        self.heap.inner().refuse(false);
        assert_eq!(block.is_null(), refused || self.is_beyond(layout.size()));
        if block.is_null() {
            return;
        }
        let block = Block {
            address: block as usize,
            layout,
            fill,
        };
        if zeroed {
            block.holds(0, layout.size());
        }
        self.begin(block);
    }

    fn resize(&mut self, at: usize, new_size: usize, refused: bool) {
        let Block {
            address,
            layout,
            fill,
        } = self.blocks[at];
        self.heap.inner().refuse(refused);
        // SAFETY: the block is the program's, with this layout, and the new size is not zero.
        let resized = unsafe { self.heap.realloc(address as *mut u8, layout, new_size) };
        self.heap.inner().refuse(false);
        let more = new_size.saturating_sub(layout.size());
        assert_eq!(resized.is_null(), refused || self.is_beyond(more));
        if resized.is_null() {
            return self.blocks[at].holds(fill, layout.size());
        }
        self.blocks.swap_remove(at);
        self.count_free(layout.size());
        let block = Block {
            address: resized as usize,
            layout: Layout::from_size_align(new_size, layout.align()).expect("a layout"),
            fill,
        };
        // The start of it; the edges of the old block are within the new one or are not.
        let kept = layout.size().min(new_size);
        block.holds_from(0, kept.min(EDGE), fill);
        if kept == layout.size() {
            block.holds_from(kept.saturating_sub(EDGE), kept, fill);
        }
        self.begin(block);
    }

    fn begin(&mut self, block: Block) {
        let (start, end) = (block.address, block.address + block.layout.size());
        assert_eq!(start % block.layout.align(), 0, "misaligned");
        for other in &self.blocks {
            let apart = end <= other.address || other.address + other.layout.size() <= start;
            assert!(apart, "two blocks at one place");
        }
        block.fill();
        self.live += block.layout.size();
        self.allocated[0] += block.layout.size() as u64;
        self.allocated[1] += 1;
        self.blocks.push(block);
    }

    fn free(&mut self, block: Block) {
        block.holds(block.fill, block.layout.size());
        // SAFETY: the block is the program's, with this layout.
        unsafe { self.heap.dealloc(block.address as *mut u8, block.layout) };
        self.count_free(block.layout.size());
    }

    fn count_free(&mut self, bytes: usize) {
        self.live -= bytes;
        self.freed[0] += bytes as u64;
        self.freed[1] += 1;
    }

    /// Whether the limit refuses so much more.
    fn is_beyond(&self, more: usize) -> bool {
        self.refuses && more > 0 && self.live + more > self.limit
    }

    fn set_sampling(&mut self, choices: &mut Choices<'_>) {
        process::set_sampling(match choices.below(8) {
            0 => Sampling::Off,
            1 | 2 => Sampling::EveryBlock,
            3 => Sampling::Blocks {
                one_in: choices.size(6) as u64,
            },
            _ => Sampling::Bytes {
                interval: 1 + choices.size(SIZE_BITS) as u64,
            },
        });
    }

    fn set_limit(&mut self, choices: &mut Choices<'_>) {
        let limit = choices.size(24);
        process::set_limit(Some(limit as u64));
        self.limit = limit;
    }

    /// Looks at the profile, which changes nothing.
    fn look(&self) {
        let snapshot = self.heap.snapshot();
        assert_eq!(snapshot.totals.live_bytes(), self.heap.usage().live_bytes());
        for site in &snapshot.sites {
            assert!(site.live.bytes.is_finite() && site.live.bytes >= -1.0);
        }
    }

    fn compare(&self) {
        let now = self.heap.usage();
        let (allocated, freed) = (now.allocated, now.freed);
        let told = [
            [
                allocated.bytes - self.before.allocated.bytes,
                allocated.blocks - self.before.allocated.blocks,
            ],
            [
                freed.bytes - self.before.freed.bytes,
                freed.blocks - self.before.freed.blocks,
            ],
        ];
        assert_eq!(told, [self.allocated, self.freed]);
        if self.refuses {
            let status = process::limit().expect("there is one");
            assert_eq!(status.limit_bytes, self.limit as u64);
        }
    }

    fn end(mut self) {
        for block in std::mem::take(&mut self.blocks) {
            self.free(block);
        }
        self.compare();
        assert_eq!(
            self.heap.inner().live_blocks(),
            0,
            "blocks that never came back"
        );
        let samples = self
            .heap
            .snapshot()
            .sites
            .iter()
            .map(|site| site.live.samples)
            .sum::<i64>();
        assert_eq!(samples, 0, "samples of blocks that are freed");
    }
}

/// Bytes at each end of a block that are looked at; all of a small one.
const EDGE: usize = 64;

impl Block {
    fn fill(&self) {
        let size = self.layout.size();
        for start in [0, size.saturating_sub(EDGE)] {
            // SAFETY: within the block.
            let at = unsafe { (self.address as *mut u8).add(start) };
            // SAFETY: within the block.
            unsafe { at.write_bytes(self.fill, size.min(EDGE)) };
        }
    }

    fn holds(&self, expected: u8, length: usize) {
        self.holds_from(0, length.min(EDGE), expected);
        self.holds_from(length.saturating_sub(EDGE), length, expected);
    }

    fn holds_from(&self, start: usize, end: usize, expected: u8) {
        for offset in start..end {
            // SAFETY: within the block, at a place that was written.
            let found = unsafe { ((self.address + offset) as *const u8).read() };
            assert_eq!(found, expected, "at {offset} of {:?}", self.layout);
        }
    }
}

//! Does the same operations now through one allocator and now through another, and takes the time of each.

use std::alloc::{GlobalAlloc, Layout};
use std::hint::black_box;
use std::time::{Duration, Instant};

use super::record::{Moments, Record, SIZES, kind};
use crate::clock;
use crate::machine::{self, Switches};
use crate::random::Random;

/// The blocks that are live at once; what each thread that measures has for itself.
pub(crate) struct Probe {
    slots: Vec<Slot>,
    /// What was asked for and given back in the last slice: bytes and blocks.
    asked: [u64; 2],
    switches: Switches,
}

/// The time and the seed of a slice; slices that are compared have the same seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slice {
    pub(crate) lasts: Duration,
    pub(crate) seed: u64,
}

#[derive(Clone, Copy)]
struct Slot {
    block: *mut u8,
    layout: Layout,
}

/// Blocks of each size that are live at once.
const SLOTS: [usize; 3] = [64, 64, 8];
/// Frames below the operations: as in a program, whose stacks are not short.
const DEPTH: usize = 24;
/// An operation that took so many ticks is looked at more closely.
const LONG: u64 = 20_000;
/// Operations between two looks at how often the thread was taken off its core.
const LOOK_EVERY: u32 = 512;

impl Probe {
    pub(crate) fn new() -> Self {
        let empty = Slot {
            block: std::ptr::null_mut(),
            layout: Layout::new::<u8>(),
        };
        Self {
            slots: vec![empty; SLOTS.iter().sum()],
            asked: [0; 2],
            switches: Switches::default(),
        }
    }

    /// One slice over `heap`. Nothing of it is live afterwards. How much was asked for and given back, in bytes and blocks.
    pub(crate) fn slice<A: GlobalAlloc>(
        &mut self,
        heap: &A,
        slice: Slice,
        moments: &Moments,
        record: &mut Record,
    ) -> [u64; 2] {
        self.asked = [0; 2];
        self.descend(heap, slice, moments, record, DEPTH);
        self.asked
    }

    #[inline(never)]
    fn descend<A: GlobalAlloc>(
        &mut self,
        heap: &A,
        slice: Slice,
        moments: &Moments,
        record: &mut Record,
        depth: usize,
    ) {
        if depth > 0 {
            self.descend(heap, slice, moments, record, depth - 1);
        } else {
            self.measure(heap, slice, moments, record);
        }
        // Not a tail call: each level keeps its frame.
        black_box(depth);
    }

    #[inline(never)]
    fn measure<A: GlobalAlloc>(
        &mut self,
        heap: &A,
        slice: Slice,
        moments: &Moments,
        record: &mut Record,
    ) {
        let start = Instant::now();
        let mut random = Random::new(slice.seed);
        let mut operations = 0_u32;
        self.switches = machine::switches();
        while start.elapsed() < slice.lasts {
            for _ in 0..16 {
                self.turn(heap, &mut random, moments, record);
                let ticks = clock::begin();
                let ticks = clock::end() - ticks;
                record.empty.saturating_record(ticks);
            }
            operations += 16;
            if operations.is_multiple_of(LOOK_EVERY) {
                self.switches = machine::switches();
            }
        }
        for index in 0..self.slots.len() {
            self.free(heap, index);
        }
    }

    /// One block of a random size in the place of another.
    #[inline]
    fn turn<A: GlobalAlloc>(
        &mut self,
        heap: &A,
        random: &mut Random,
        moments: &Moments,
        record: &mut Record,
    ) {
        // Small ones are the most frequent ones.
        let size = [0, 0, 0, 0, 1, 1, 1, 2][random.below(8)];
        let first: usize = SLOTS[..size].iter().sum();
        let index = first + random.below(SLOTS[size]);
        let (least, limit) = SIZES[size].1;
        let layout = Layout::from_size_align(random.between(least, limit), 8);
        let layout = layout.expect("small sizes make a layout");

        let moment = moments.now() as usize;
        if !self.slots[index].block.is_null() {
            let ticks = clock::begin();
            self.free(heap, index);
            self.note(kind(moment, size, 1), clock::end() - ticks, record);
        }
        let moment = moments.now() as usize;
        let ticks = clock::begin();
        // SAFETY: the size is not zero.
        let block = unsafe { heap.alloc(layout) };
        self.note(kind(moment, size, 0), clock::end() - ticks, record);
        assert!(!block.is_null(), "there is memory");
        // SAFETY: the block is at least 16 bytes long. Whoever allocates writes.
        unsafe { block.cast::<u64>().write_unaligned(index as u64) };
        self.slots[index] = Slot { block, layout };
        self.asked[0] += layout.size() as u64;
        self.asked[1] += 1;
    }

    #[inline(always)]
    fn free<A: GlobalAlloc>(&mut self, heap: &A, index: usize) {
        let slot = &mut self.slots[index];
        let block = std::mem::replace(&mut slot.block, std::ptr::null_mut());
        if !block.is_null() {
            // SAFETY: it came from this heap in this slice, with this layout, and is freed once.
            unsafe { heap.dealloc(block, slot.layout) };
        }
    }

    #[inline]
    fn note(&mut self, kind: usize, ticks: u64, record: &mut Record) {
        record.add(kind, ticks);
        if ticks > LONG {
            self.note_long(kind, ticks, record);
        }
    }

    /// Why it took so long. If the thread was preempted since the last look, the time says nothing of the operation.
    #[cold]
    fn note_long(&mut self, kind: usize, ticks: u64, record: &mut Record) {
        let switches = machine::switches();
        if switches.preempted == self.switches.preempted {
            let longest = match switches.waited == self.switches.waited {
                true => &mut record.on_core[kind],
                false => &mut record.waited[kind],
            };
            *longest = (*longest).max(ticks);
        }
        self.switches = switches;
    }
}

// SAFETY: between slices there are no blocks, so nothing is shared with another thread.
unsafe impl Send for Probe {}

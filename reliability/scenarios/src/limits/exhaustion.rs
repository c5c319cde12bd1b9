//! The address space runs out: requests are refused, unkai's tables cannot grow. Both are counted, blocks stay right, totals
//! exact; and all goes on once memory is freed.

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, realloc};

use unkai_core::{Cause, process};

use super::{address_space, limit_address_space};
use crate::heap::{Heap, totals_are_exact};

const MIB: usize = 1 << 20;

/// Room that is left to the program.
const ROOM: u64 = 96 << 20;

/// A refusal of so many bytes and more is seen at any interval of sampling.
const SEEN: usize = 64 << 10;

pub(crate) fn play(heap: &'static dyn Heap) {
    requests_are_refused(heap);
    tables_cannot_grow(heap);
}

/// Blocks that were allocated by hand, so that a refusal can be seen; in memory that was there before.
struct Blocks {
    of: Vec<(*mut u8, Layout)>,
    refused: u64,
}

impl Blocks {
    fn new(most: usize) -> Self {
        Self {
            of: Vec::with_capacity(most),
            refused: 0,
        }
    }

    /// Allocates; `false` if it was refused, or there is no room here.
    fn add(&mut self, bytes: usize, zeroed: bool) -> bool {
        if self.of.len() == self.of.capacity() {
            return false;
        }
        let layout = Layout::from_size_align(bytes, 8).expect("a layout");
        let block = if zeroed {
            // SAFETY: not of size zero.
            unsafe { alloc_zeroed(layout) }
        } else {
            // SAFETY: as above.
            unsafe { alloc(layout) }
        };
        if block.is_null() {
            self.refused += 1;
            return false;
        }
        if zeroed {
            // SAFETY: the last eight bytes of a block that has at least eight; they are initialised.
            let last = unsafe { last_word(block, layout).read_unaligned() };
            assert_eq!(last, 0);
        }
        sign(block, layout);
        self.of.push((block, layout));
        true
    }

    /// Resizes the last one; `false` if that was refused.
    fn resize(&mut self, bytes: usize) -> bool {
        let (block, layout) = self.of.last_mut().expect("a block");
        // SAFETY: a block of this layout.
        let resized = unsafe { realloc(*block, *layout, bytes) };
        if resized.is_null() {
            self.refused += 1;
            // It is what it was.
            check(*block, *layout);
            return false;
        }
        *block = resized;
        *layout = Layout::from_size_align(bytes, 8).expect("a layout");
        sign(*block, *layout);
        true
    }

    /// Frees all but the first few.
    fn keep(&mut self, blocks: usize) {
        while self.of.len() > blocks {
            let (block, layout) = self.of.pop().expect("a block");
            check(block, layout);
            // SAFETY: allocated with this layout, freed once.
            unsafe { dealloc(block, layout) };
        }
    }

    fn check(&self) {
        self.of
            .iter()
            .for_each(|&(block, layout)| check(block, layout));
    }
}

/// Writes its address into both of its ends.
fn sign(block: *mut u8, layout: Layout) {
    // SAFETY: the first eight bytes of a block that has at least eight.
    unsafe { block.cast::<usize>().write_unaligned(block as usize) };
    // SAFETY: its last eight.
    unsafe { last_word(block, layout).write_unaligned(block as usize) };
}

fn check(block: *mut u8, layout: Layout) {
    // SAFETY: as above, and `sign` has initialised them.
    let first = unsafe { block.cast::<usize>().read_unaligned() };
    // SAFETY: as above.
    let last = unsafe { last_word(block, layout).read_unaligned() };
    assert_eq!([first, last], [block as usize; 2]);
}

fn last_word(block: *mut u8, layout: Layout) -> *mut usize {
    block.wrapping_add(layout.size() - 8).cast()
}

/// Takes all there is, in large blocks, gives half of it back and takes it again.
fn requests_are_refused(heap: &'static dyn Heap) {
    let mut blocks = Blocks::new(8192);
    let before = heap.usage().refused_requests;
    limit_address_space(Some(address_space() + ROOM));
    for round in 0..4 {
        while blocks.add(MIB, round % 2 == 0) {}
        while blocks.add(SEEN, round % 2 == 0) {}
        for _ in 0..50 {
            blocks.add(4 * MIB, round % 2 == 1);
            blocks.resize(80 * MIB);
        }
        blocks.check();
        let refused = heap.usage().refused_requests - before;
        assert_eq!(refused, blocks.refused);
        // No message is made unless it is wrong: at the moment nothing could be.
        totals_are_exact(heap, "with no address space left");
        blocks.keep(blocks.of.len() / 2);
        // What was freed can be had again; jemalloc may need some more of it for its own records.
        while !blocks.add(MIB, false) {
            assert!(!blocks.of.is_empty(), "what was freed cannot be had again");
            blocks.keep(blocks.of.len() - 1);
        }
        // It shrinks, and grows into what is free.
        assert!(blocks.resize(SEEN) && blocks.resize(MIB));
    }
    assert!(blocks.refused > 400);
    limit_address_space(None);
    blocks.keep(0);
    totals_are_exact(heap, "after the limit");
}

/// The inner allocator has many small blocks to give, and the system nothing: they cannot all be recorded.
fn tables_cannot_grow(heap: &'static dyn Heap) {
    const SMALL: usize = 48;
    const BLOCKS: usize = 200_000;
    let mut small = Blocks::new(BLOCKS);
    let mut large = Blocks::new(8192);
    // Blocks that the allocator will give again: some stay, so that it keeps the memory of the others.
    heap.set_sampling_interval(0);
    drop(vec![0_u8; 2 * SEEN]);
    let mut stay = Blocks::new(BLOCKS / 100);
    while small.add(SMALL, false) {
        if small.of.len().is_multiple_of(100) {
            stay.add(SMALL, false);
        }
    }
    small.keep(0);
    limit_address_space(Some(address_space() + ROOM / 4));
    while large.add(MIB, false) {}
    while large.add(SEEN, false) {}
    heap.set_sampling_interval(1);
    assert!(!large.add(2 * SEEN, false) || large.of.len() > 1);
    let before = losses();
    while small.add(SMALL, false) {}
    let (served, lost) = (small.of.len() as u64, losses() - before);
    small.check();
    totals_are_exact(heap, "with tables that cannot grow");
    // Goes on: what is freed is found in the table, or known not to be there.
    small.keep(small.of.len() / 2);
    totals_are_exact(heap, "with half of it freed");
    large.keep(0);
    limit_address_space(None);
    let before = losses();
    while small.add(SMALL, false) {}
    let lost_later = losses() - before;
    small.check();
    totals_are_exact(heap, "after the limit");
    eprintln!(
        "{served} small blocks beyond the limit, {lost} of them not recorded; then {lost_later}"
    );
    assert!(served > 10_000, "only {served} blocks: nothing was tried");
    assert!(lost > 0, "the tables grew all the same");
    // Sampling gets sparser near a cap, but a few samples may reach it first.
    assert!(lost_later < lost / 1000, "the tables do not grow again");
    small.keep(0);
    stay.keep(0);
}

/// Samples that were dropped for want of room.
fn losses() -> u64 {
    let losses = process::survey().losses;
    losses.of(Cause::LiveTableFull) + losses.of(Cause::OwnMemoryRefused)
}

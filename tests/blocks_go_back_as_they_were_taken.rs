//! Under an inner allocator that knows every block: each goes back exactly as it was taken, whatever the program does.
//!
//! Random sequences of all four methods, sizes from 1 byte to 64 MiB, alignments up to 64 KiB, blocks that are freed on
//! other threads, several intervals, and intervals that change in mid-run. Seeds are fixed.

mod support;

use std::alloc::{GlobalAlloc, Layout};
use std::sync::mpsc::{Receiver, Sender, channel};

use support::checking::Checking;
use support::outer::Outer;
use support::random::Random;
use unkai::{Cause, Config, UnkaiGlobalAlloc};

#[global_allocator]
static HEAP: Outer<UnkaiGlobalAlloc<Checking>> = Outer::new(UnkaiGlobalAlloc::with_config(
    Checking::new(),
    Config::new().seed(11),
));

/// One block of the program: where it is, how it was requested, and the byte that it is filled with.
#[derive(Debug)]
struct Block {
    address: usize,
    layout: Layout,
    fill: u8,
}

impl Block {
    fn new(random: &mut Random, most: usize) -> Option<Self> {
        let layout = Layout::from_size_align(random.size(most), 1 << random.below(17)).unwrap();
        let zeroed = random.below(2) == 0;
        let pointer = if zeroed {
            // SAFETY: the layout is not empty.
            unsafe { HEAP.alloc_zeroed(layout) }
        } else {
            // SAFETY: the layout is not empty.
            unsafe { HEAP.alloc(layout) }
        };
        if pointer.is_null() {
            return None;
        }
        let block = Self {
            address: pointer as usize,
            layout,
            fill: random.next() as u8,
        };
        assert!(
            block.address.is_multiple_of(layout.align()),
            "{block:?} is misaligned"
        );
        if zeroed {
            block.check(0);
        }
        block.fill();
        Some(block)
    }

    fn resize(&mut self, random: &mut Random, most: usize) {
        let new_size = random.size(most);
        let pointer = self.address as *mut u8;
        // SAFETY: the block is ours, with this layout.
        let resized = unsafe { HEAP.realloc(pointer, self.layout, new_size) };
        if resized.is_null() {
            self.check(self.fill);
            return;
        }
        let kept = self.layout.size().min(new_size);
        let kept_places = self.offsets();
        let layout = Layout::from_size_align(new_size, self.layout.align()).unwrap();
        *self = Self {
            address: resized as usize,
            layout,
            fill: self.fill,
        };
        assert!(
            self.address.is_multiple_of(layout.align()),
            "{self:?} is misaligned"
        );
        self.check_below(kept, kept_places, self.fill);
        self.fill();
    }

    fn free(self) {
        self.check(self.fill);
        // SAFETY: the block is ours, with this layout.
        unsafe { HEAP.dealloc(self.address as *mut u8, self.layout) };
    }

    /// Places in the block that are written and looked at: all of a small block, the edges and every 1000th byte of a
    /// large one.
    fn offsets(&self) -> impl Iterator<Item = usize> + use<> {
        let size = self.layout.size();
        let (edge, step) = if size <= 16 << 10 {
            (size, size)
        } else {
            (64, 1000)
        };
        (0..edge)
            .chain((edge..size).step_by(step))
            .chain(size.saturating_sub(64)..size)
    }

    fn fill(&self) {
        for offset in self.offsets() {
            // SAFETY: within the block.
            unsafe { ((self.address + offset) as *mut u8).write(self.fill) };
        }
    }

    fn check(&self, expected: u8) {
        self.check_below(self.layout.size(), self.offsets(), expected);
    }

    fn check_below(&self, kept: usize, offsets: impl Iterator<Item = usize>, expected: u8) {
        for offset in offsets.filter(|&offset| offset < kept) {
            // SAFETY: within the block, and initialised: zeroed, or filled at this place.
            let found = unsafe { ((self.address + offset) as *const u8).read() };
            assert_eq!(found, expected, "{self:?} at {offset}");
        }
    }
}

/// Random operations, with blocks sent to and received from other threads.
fn work(seed: u64, steps: u64, send: &Sender<Block>, receive: &Receiver<Block>) {
    let mut random = Random::new(seed);
    let mut blocks = Vec::new();
    for _ in 0..steps {
        // Large sizes now and then only: touching them is slow.
        let most = if random.below(200) == 0 {
            64 << 20
        } else {
            100 << 10
        };
        match random.below(10) {
            0..4 => blocks.extend(Block::new(&mut random, most)),
            4..6 if !blocks.is_empty() => {
                let index = random.below(blocks.len() as u64) as usize;
                blocks[index].resize(&mut random, most);
            }
            6 if !blocks.is_empty() => {
                let index = random.below(blocks.len() as u64) as usize;
                let _ = send.send(blocks.swap_remove(index));
            }
            7 => receive.try_iter().take(4).for_each(Block::free),
            _ if blocks.len() > 40 || random.below(3) == 0 => {
                let index = random.below(blocks.len().max(1) as u64) as usize;
                if index < blocks.len() {
                    blocks.swap_remove(index).free();
                }
            }
            _ => {}
        }
    }
    blocks.into_iter().for_each(Block::free);
}

fn several_threads_work(seed: u64, steps: u64) {
    const THREADS: usize = 4;
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| channel()).unzip();
    let mut senders_ahead = senders.clone();
    senders_ahead.rotate_left(1);
    drop(senders);
    let ends = senders_ahead.into_iter().zip(receivers).enumerate();
    let threads: Vec<_> = ends
        .map(|(index, (send, receive))| {
            std::thread::spawn(move || {
                work(seed * 100 + index as u64, steps, &send, &receive);
                drop(send);
                // What others have sent, until they have ended too.
                receive.iter().for_each(Block::free);
            })
        })
        .collect();
    // A scope would end before its threads have given back their very last blocks, those of their thread-locals.
    for thread in threads {
        thread.join().unwrap();
    }
}

fn nothing_is_amiss(before: (i64, usize), context: &str) {
    let usage = HEAP.inner.usage();
    let (allocated, freed) = (HEAP.allocated(), HEAP.freed());
    assert_eq!(
        (usage.allocated.bytes, usage.allocated.blocks),
        allocated,
        "{context}"
    );
    assert_eq!((usage.freed.bytes, usage.freed.blocks), freed, "{context}");
    let snapshot = HEAP.aside(UnkaiGlobalAlloc::snapshot);
    for cause in [
        Cause::FreeMissed,
        Cause::LayoutMismatch,
        Cause::LiveTableFull,
    ] {
        assert_eq!(snapshot.losses.of(cause), 0, "{context}: {cause:?}");
    }
    // The harness itself holds a few blocks more or less.
    let live = HEAP.inner.inner().live_blocks();
    assert!(
        live.abs_diff(before.1) < 200,
        "{context}: {live} blocks, {} before",
        before.1
    );
    assert_eq!(HEAP.nested(), 0, "{context}");
}

#[test]
fn blocks_go_back_as_they_were_taken() {
    let before = (
        HEAP.inner.usage().live_bytes(),
        HEAP.inner.inner().live_blocks(),
    );
    for (index, interval) in [1, 3_000, 40_000, 512 << 10, 0].into_iter().enumerate() {
        HEAP.inner.set_sampling_interval(interval);
        several_threads_work(index as u64 + 1, 6_000);
        nothing_is_amiss(before, &format!("interval {interval}"));
    }

    // Intervals change while four threads work: marked and unmarked samples live side by side.
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| several_threads_work(77, 12_000));
        let mut random = Random::new(5);
        while !worker.is_finished() {
            let interval = [1, 100, 3_000, 33_000, 64_000, 512 << 10, 0][random.below(7) as usize];
            HEAP.inner.set_sampling_interval(interval);
            if random.below(4) == 0 {
                HEAP.inner.pause();
            } else {
                HEAP.inner.resume();
            }
            std::thread::sleep(std::time::Duration::from_millis(random.below(3)));
        }
        HEAP.inner.resume();
    });
    nothing_is_amiss(before, "intervals that change");

    // The inner allocator refuses some requests: no block is lost, and what is checked is counted right.
    HEAP.inner.set_sampling_interval(2_000);
    let mut random = Random::new(9);
    for n in [2, 3, 7, 50] {
        HEAP.inner.inner().refuse_every(n);
        // Nothing here may allocate but the blocks themselves.
        for _ in 0..3_000 {
            if let Some(mut block) = Block::new(&mut random, 200 << 10) {
                block.resize(&mut random, 200 << 10);
                block.free();
            }
        }
        HEAP.inner.inner().refuse_every(0);
    }
    let live = HEAP.inner.inner().live_blocks();
    assert!(
        live.abs_diff(before.1) < 200,
        "{live} blocks, {} before",
        before.1
    );
    let samples: i64 = HEAP
        .inner
        .snapshot()
        .sites
        .iter()
        .map(|site| site.live.samples)
        .sum();
    assert!(
        samples < 200,
        "{samples} samples are live, but the blocks are gone"
    );
}

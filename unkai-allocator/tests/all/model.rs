//! Random sequences of all methods against an independent model, compared after every step.

use std::alloc::Layout;
use std::ptr::NonNull;

use crate::support::{Behaviour, Checking, Random};
use unkai_allocator::api::{AllocError, Allocator};
use unkai_allocator::{Unkai, Usage};

/// A block that the test holds; every byte of it is `mark`.
struct Block {
    ptr: NonNull<u8>,
    layout: Layout,
    mark: u8,
}

impl Block {
    fn bytes(&self) -> &[u8] {
        // SAFETY: the block is held, of this length, and was filled by `fill`.
        unsafe { std::slice::from_raw_parts(self.ptr.as_ptr(), self.layout.size()) }
    }

    fn fill(&mut self) {
        // SAFETY: the block is held, and of this length.
        unsafe { self.ptr.write_bytes(self.mark, self.layout.size()) };
    }

    #[track_caller]
    fn assert_intact(&self) {
        assert_all(self.bytes(), self.mark);
    }
}

#[track_caller]
fn assert_all(bytes: &[u8], value: u8) {
    // Compares by memcmp: quick in a debug build as well.
    assert!(
        bytes == vec![value; bytes.len()],
        "a byte is not {value:#x}"
    );
}

struct Driver {
    unkai: Unkai<Checking>,
    checking: Checking,
    random: Random,
    blocks: Vec<Block>,
    peak_bytes: usize,
}

impl Driver {
    fn new(seed: u64, behaviour: Behaviour) -> Self {
        let checking = Checking::new(behaviour);
        Self {
            unkai: Unkai::new(checking.clone()),
            checking,
            random: Random::new(seed),
            blocks: Vec::new(),
            peak_bytes: 0,
        }
    }

    fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            self.step();
            self.compare();
        }
        while !self.blocks.is_empty() {
            self.deallocate(0);
            self.compare();
        }
        assert_eq!(
            (self.unkai.usage().bytes, self.unkai.usage().blocks),
            (0, 0)
        );
    }

    /// Usage is what the model says, and what the inner allocator has really given out.
    fn compare(&mut self) {
        let sizes = self.blocks.iter().map(|block| block.layout.size());
        let bytes: usize = sizes.clone().sum();
        let blocks = sizes.filter(|&size| size > 0).count();
        self.peak_bytes = self.peak_bytes.max(bytes);
        let usage = self.unkai.usage();
        assert_eq!((usage.bytes, usage.blocks), (bytes, blocks));
        assert_eq!((usage.bytes, usage.blocks), self.checking.held());
        self.assert_peak(usage);
        assert_eq!(self.unkai.report_usage(), bytes as isize);
    }

    /// The bound that `Scope::peak` states, for one thread.
    fn assert_peak(&self, usage: Usage) {
        let bound = self.peak_bytes..=self.peak_bytes + self.peak_bytes / 64;
        assert!(bound.contains(&usage.peak_bytes), "{usage:?}, {bound:?}");
    }

    /// A request that failed: nothing is held for it, and the peak is within its bound without it.
    fn assert_unchanged(&self, before: Usage) {
        let usage = self.unkai.usage();
        assert_eq!((usage.bytes, usage.blocks), (before.bytes, before.blocks));
    }

    fn step(&mut self) {
        let many = self.blocks.len() > 40;
        match self.random.below(10) {
            0..4 if !many => self.allocate(),
            0..6 if !self.blocks.is_empty() => {
                let index = self.random.below(self.blocks.len());
                self.deallocate(index);
            }
            _ if !self.blocks.is_empty() => self.resize(),
            _ => self.allocate(),
        }
    }

    fn allocate(&mut self) {
        let layout = self.random.layout();
        let zeroed = self.random.below(2) == 0;
        let before = self.unkai.usage();
        let result = if zeroed {
            self.unkai.allocate_zeroed(layout)
        } else {
            self.unkai.allocate(layout)
        };
        let Some(ptr) = self.served(result, layout) else {
            return self.assert_unchanged(before);
        };
        let mark = self.random.next() as u8;
        let mut block = Block { ptr, layout, mark };
        if zeroed {
            assert_all(block.bytes(), 0);
        }
        block.fill();
        self.blocks.push(block);
    }

    fn deallocate(&mut self, index: usize) {
        let block = self.blocks.swap_remove(index);
        block.assert_intact();
        // SAFETY: the block came from this allocator with this layout, and has just left the list of those that are held.
        unsafe { self.unkai.deallocate(block.ptr, block.layout) };
    }

    fn resize(&mut self) {
        let index = self.random.below(self.blocks.len());
        let mut block = self.blocks.swap_remove(index);
        block.assert_intact();
        let (old, mut new) = (block.layout, self.random.layout());
        if self.random.below(2) == 0 {
            // What collections do: the alignment stays.
            new = Layout::from_size_align(new.size(), old.align()).unwrap();
        }
        let zeroed = self.random.below(2) == 0;
        let before = self.unkai.usage();
        let result = if new.size() < old.size() {
            // SAFETY: here and below, the block came from this allocator with this layout; the size is compared above.
            unsafe { self.unkai.shrink(block.ptr, old, new) }
        } else if zeroed {
            // SAFETY: as above.
            unsafe { self.unkai.grow_zeroed(block.ptr, old, new) }
        } else {
            // SAFETY: as above.
            unsafe { self.unkai.grow(block.ptr, old, new) }
        };
        match self.served(result, new) {
            None => {
                self.assert_unchanged(before);
                block.assert_intact();
            }
            Some(ptr) => {
                block.ptr = ptr;
                block.layout = Layout::from_size_align(old.size().min(new.size()), 1).unwrap();
                block.assert_intact();
                if zeroed && new.size() > old.size() {
                    // SAFETY: the offset is within the block, which is `new.size()` bytes long.
                    let added = unsafe { ptr.add(old.size()) };
                    let len = new.size() - old.size();
                    // SAFETY: the block ends there; `grow_zeroed` has written these bytes.
                    assert_all(
                        unsafe { std::slice::from_raw_parts(added.as_ptr(), len) },
                        0,
                    );
                }
                block.layout = new;
                block.mark = self.random.next() as u8;
                block.fill();
            }
        }
        self.blocks.push(block);
    }

    /// The address of a block that was served; `None` exactly if the inner allocator failed.
    fn served(
        &self,
        result: Result<NonNull<[u8]>, AllocError>,
        layout: Layout,
    ) -> Option<NonNull<u8>> {
        assert_eq!(result.is_err(), self.checking.last_failed());
        let block = result.ok()?;
        assert_eq!(block.len(), layout.size());
        let ptr = block.cast::<u8>();
        assert!(ptr.addr().get().is_multiple_of(layout.align()));
        Some(ptr)
    }
}

fn run_seeds(behaviour: Behaviour) {
    for seed in 1..=6 {
        println!("seed {seed}, {behaviour:?}");
        Driver::new(seed, behaviour).run(2000);
    }
}

#[test]
fn usage_matches_a_model_after_every_step() {
    run_seeds(Behaviour::default());
}

#[test]
fn usage_matches_a_model_when_blocks_are_longer_than_requested() {
    run_seeds(Behaviour {
        spare: 200,
        ..Behaviour::default()
    });
}

#[test]
fn usage_matches_a_model_when_blocks_are_resized_in_place() {
    run_seeds(Behaviour {
        room: 8 << 10,
        ..Behaviour::default()
    });
}

#[test]
fn usage_matches_a_model_when_one_call_in_five_fails() {
    run_seeds(Behaviour {
        spare: 30,
        fail_one_in: Some(5),
        ..Behaviour::default()
    });
}

#[test]
fn a_failure_at_any_call_changes_neither_usage_nor_peak_nor_the_old_block() {
    let (seed, steps) = (9, 150);
    println!("seed {seed}");
    let mut whole = Driver::new(seed, Behaviour::default());
    whole.run(steps);
    let calls = whole.checking.fallible_calls();
    assert!(calls > 80);
    for n in 1..=calls {
        let behaviour = Behaviour {
            fail_at: Some(n),
            ..Behaviour::default()
        };
        Driver::new(seed, behaviour).run(steps);
    }
}

//! Many threads against heaps that refuse: random sizes, growth, reduction, and blocks that other threads free.

use std::alloc::{GlobalAlloc, Layout};
use std::ptr::NonNull;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use cap::Cap;
use unkai_allocator::api::Allocator;
use unkai_allocator::{Unkai, last_refusal};

use crate::support::Random;
use crate::turn::Within;

pub(crate) const THREADS: usize = 8;
/// The most blocks that a thread holds: with blocks of a 128th of the limit, all together are somewhat beyond it.
const HELD: usize = 24;

/// What is hammered. `None` is a refusal.
pub(crate) trait Heap: Sync {
    fn take(&self, layout: Layout) -> Option<NonNull<u8>>;

    /// # Safety
    /// The block is held, and came from here with the layout `old`, whose alignment `new` has.
    unsafe fn resize(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Option<NonNull<u8>>;

    /// # Safety
    /// The block is held, and came from here with this layout.
    unsafe fn give_back(&self, ptr: NonNull<u8>, layout: Layout);
}

impl<A: Allocator + Sync> Heap for Unkai<A> {
    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        let block = self.allocate(layout).ok();
        if block.is_none() {
            assert_refusal_adds_up(layout.size());
        }
        Some(block?.cast())
    }

    unsafe fn resize(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Option<NonNull<u8>> {
        if new.size() < old.size() {
            // SAFETY: the caller's promise; the sizes are compared above.
            let block = unsafe { self.shrink(ptr, old, new) };
            return Some(block.expect("a reduction is never refused").cast());
        }
        // SAFETY: the caller's promise; the sizes are compared above.
        let block = unsafe { self.grow(ptr, old, new) }.ok();
        if block.is_none() {
            assert_refusal_adds_up(new.size() - old.size());
        }
        Some(block?.cast())
    }

    unsafe fn give_back(&self, ptr: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { self.deallocate(ptr, layout) };
    }
}

/// What this thread's last refusal tells is about this request, and a reason to refuse it.
fn assert_refusal_adds_up(requested: usize) {
    let refusal = last_refusal().expect("a refusal leaves its reason");
    assert_eq!(refusal.requested(), requested);
    let limit = refusal.limit().expect("only limits refuse here");
    assert!(refusal.used() + requested > limit, "{refusal}");
}

impl<A: GlobalAlloc + Sync> Heap for Cap<A> {
    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        assert_ne!(layout.size(), 0);
        // SAFETY: the size is not zero.
        NonNull::new(unsafe { self.alloc(layout) })
    }

    unsafe fn resize(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Option<NonNull<u8>> {
        assert_ne!(new.size(), 0);
        // SAFETY: the caller's promise; the size is not zero, and fits, as it came from a layout.
        NonNull::new(unsafe { self.realloc(ptr.as_ptr(), old, new.size()) })
    }

    unsafe fn give_back(&self, ptr: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { self.dealloc(ptr.as_ptr(), layout) };
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// Of each thread, at most.
    pub(crate) steps: usize,
    pub(crate) largest: usize,
    pub(crate) within: Within,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) granted: usize,
    pub(crate) refused: usize,
    pub(crate) handed_over: usize,
}

/// A block on its way to the thread that will free it.
struct Block {
    heap: usize,
    ptr: NonNull<u8>,
    layout: Layout,
}

// SAFETY: the memory belongs to whoever holds this, and a heap may be used by any thread.
unsafe impl Send for Block {}

/// Runs [`THREADS`] threads over `heaps`, until all is freed again.
pub(crate) fn hammer<H: Heap>(heaps: &[H], plan: Plan) -> Outcome {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| sync_channel(32)).unzip();
    let outcomes = thread::scope(|scope| {
        let threads: Vec<_> = receivers
            .into_iter()
            .enumerate()
            .map(|(number, received)| {
                let senders = senders.clone();
                scope.spawn(move || {
                    Worker {
                        heaps,
                        random: Random::new(plan.seed * 1000 + number as u64),
                        held: Vec::new(),
                        outcome: Outcome::default(),
                    }
                    .run(plan, senders, received)
                })
            })
            .collect();
        drop(senders);
        let joined = threads.into_iter().map(|thread| thread.join().unwrap());
        joined.collect::<Vec<_>>()
    });
    outcomes
        .into_iter()
        .fold(Outcome::default(), |sum, one| Outcome {
            granted: sum.granted + one.granted,
            refused: sum.refused + one.refused,
            handed_over: sum.handed_over + one.handed_over,
        })
}

struct Worker<'h, H> {
    heaps: &'h [H],
    random: Random,
    held: Vec<Block>,
    outcome: Outcome,
}

impl<H: Heap> Worker<'_, H> {
    fn run(
        mut self,
        plan: Plan,
        senders: Vec<SyncSender<Block>>,
        received: Receiver<Block>,
    ) -> Outcome {
        for step in 0..plan.steps {
            if step % 256 == 0 && plan.within.is_over() {
                break;
            }
            match self.random.below(8) {
                0..4 if self.held.len() < HELD => self.take(plan.largest),
                0..6 => self.resize(plan.largest),
                6 => self.hand_over(&senders),
                _ => {
                    if let Some(block) = self.any_held() {
                        self.free(block);
                    }
                }
            }
            if let Ok(block) = received.try_recv() {
                self.free(block);
            }
        }
        // Who waits for blocks waits until every thread has come this far.
        drop(senders);
        for block in received {
            self.free(block);
        }
        while let Some(block) = self.held.pop() {
            self.free(block);
        }
        self.outcome
    }

    fn layout(&mut self, largest: usize) -> Layout {
        Layout::from_size_align(1 + self.random.below(largest), 8).unwrap()
    }

    fn take(&mut self, largest: usize) {
        let layout = self.layout(largest);
        let heap = self.random.below(self.heaps.len());
        match self.heaps[heap].take(layout) {
            Some(ptr) => {
                self.outcome.granted += 1;
                self.held.push(Block { heap, ptr, layout });
            }
            None => self.outcome.refused += 1,
        }
    }

    fn resize(&mut self, largest: usize) {
        let new = self.layout(largest);
        let Some(mut block) = self.any_held() else {
            return;
        };
        // SAFETY: the block is held, with this layout, and comes from this heap.
        match unsafe { self.heaps[block.heap].resize(block.ptr, block.layout, new) } {
            Some(ptr) => {
                self.outcome.granted += 1;
                (block.ptr, block.layout) = (ptr, new);
            }
            None => self.outcome.refused += 1,
        }
        self.held.push(block);
    }

    fn hand_over(&mut self, senders: &[SyncSender<Block>]) {
        let Some(block) = self.any_held() else {
            return;
        };
        let to = self.random.below(senders.len());
        match senders[to].try_send(block) {
            Ok(()) => self.outcome.handed_over += 1,
            Err(TrySendError::Full(block) | TrySendError::Disconnected(block)) => self.free(block),
        }
    }

    fn any_held(&mut self) -> Option<Block> {
        let count = self.held.len();
        (count > 0).then(|| self.held.swap_remove(self.random.below(count)))
    }

    fn free(&mut self, block: Block) {
        // SAFETY: whoever has a `Block` holds it, with this layout, and it comes from this heap.
        unsafe { self.heaps[block.heap].give_back(block.ptr, block.layout) };
    }
}

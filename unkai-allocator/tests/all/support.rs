//! What the tests share: a small generator of random numbers, and an inner allocator that checks everything.

use std::alloc::Layout;
use std::collections::HashMap;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard};

use unkai_allocator::api::{AllocError, Allocator, Global};
use unkai_allocator::{Scope, Unkai, UnkaiGlobal};

/// A handle on a scope that may hold `limit` bytes, and the scope.
pub(crate) fn limited(limit: usize) -> (UnkaiGlobal, Scope) {
    let scope = Scope::root("limited").limit(limit).build().unwrap();
    (Unkai::in_scope(Global, &scope), scope)
}

/// Xorshift, 64 bits. Tests print their seed.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        // Spreads small seeds; the state must not be zero.
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// Each power of two up to `most`, and zero, is about as likely as the next.
    pub(crate) fn size_up_to(&mut self, most: usize) -> usize {
        let bits = most.ilog2() as usize + 1;
        let upper = 1 << self.below(bits + 1);
        self.below(upper).min(most)
    }

    pub(crate) fn layout(&mut self) -> Layout {
        let align = 1 << self.below(13);
        Layout::from_size_align(self.size_up_to(64 << 10), align).unwrap()
    }
}

/// One call that reached the inner allocator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Allocate(Layout),
    AllocateZeroed(Layout),
    Deallocate(Layout),
    Grow(Layout, Layout),
    GrowZeroed(Layout, Layout),
    Shrink(Layout, Layout),
}

/// How a [`Checking`] allocator behaves. The default: blocks are exact, every resize moves, nothing fails.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Behaviour {
    /// Blocks are longer than requested, by up to this many bytes.
    pub(crate) spare: usize,
    /// Blocks can be resized in place up to this many bytes.
    pub(crate) room: usize,
    /// The call with this number fails, the first being 1; calls to `deallocate` are not counted.
    pub(crate) fail_at: Option<u64>,
    /// One call in this many fails.
    pub(crate) fail_one_in: Option<usize>,
}

/// An allocator that panics when a block does not come back exactly as it was requested, or twice, or never existed.
///
/// Fresh memory is filled with garbage, and freed memory with other garbage.
#[derive(Clone, Debug)]
pub(crate) struct Checking(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    behaviour: Behaviour,
    random: Random,
    blocks: HashMap<NonNull<u8>, Held>,
    calls: Vec<Call>,
    fallible_calls: u64,
    last_failed: bool,
}

// SAFETY: the addresses are keys only; the memory behind them belongs to whoever holds the block.
unsafe impl Send for State {}

#[derive(Debug)]
struct Held {
    /// As requested.
    layout: Layout,
    /// As told to the caller.
    len: usize,
    /// As taken from the system.
    real: Layout,
}

const FRESH: u8 = 0xA5;
const FREED: u8 = 0xDD;

impl Checking {
    pub(crate) fn new(behaviour: Behaviour) -> Self {
        Self(Arc::new(Mutex::new(State {
            behaviour,
            random: Random::new(77),
            blocks: HashMap::new(),
            calls: Vec::new(),
            fallible_calls: 0,
            last_failed: false,
        })))
    }

    /// The calls since the last time, in their order.
    pub(crate) fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.state().calls)
    }

    pub(crate) fn fallible_calls(&self) -> u64 {
        self.state().fallible_calls
    }

    pub(crate) fn last_failed(&self) -> bool {
        self.state().last_failed
    }

    /// Requested bytes and number of all blocks that are out, those of zero bytes left aside.
    pub(crate) fn held(&self) -> (usize, usize) {
        let state = self.state();
        let sizes = state.blocks.values().map(|held| held.layout.size());
        sizes
            .filter(|&size| size > 0)
            .fold((0, 0), |(bytes, blocks), size| (bytes + size, blocks + 1))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    /// Notes a call that may fail, and fails it when its turn has come.
    fn enter(&mut self, call: Call) -> Result<(), AllocError> {
        self.calls.push(call);
        self.fallible_calls += 1;
        let by_number = self.behaviour.fail_at == Some(self.fallible_calls);
        let by_chance = match self.behaviour.fail_one_in {
            Some(n) => self.random.below(n) == 0,
            None => false,
        };
        self.last_failed = by_number || by_chance;
        if self.last_failed {
            Err(AllocError)
        } else {
            Ok(())
        }
    }

    fn spare_len(&mut self, layout: Layout) -> usize {
        layout.size() + self.random.below(self.behaviour.spare + 1)
    }

    fn take(&mut self, layout: Layout) -> NonNull<[u8]> {
        let len = self.spare_len(layout);
        // At least one byte, so that every block has an address of its own.
        let real_size = len.max(self.behaviour.room).max(1);
        let real = Layout::from_size_align(real_size, layout.align()).unwrap();
        // SAFETY: `real` is not of size zero.
        let ptr = unsafe { std::alloc::alloc(real) };
        let ptr = NonNull::new(ptr).expect("the machine has memory");
        // SAFETY: the block is `real.size()` bytes long and not known to anyone else.
        unsafe { ptr.write_bytes(FRESH, real.size()) };
        let known = self.blocks.insert(ptr, Held { layout, len, real });
        assert!(known.is_none(), "the system returned a block twice");
        NonNull::slice_from_raw_parts(ptr, len)
    }

    fn check(&self, ptr: NonNull<u8>, layout: Layout) -> &Held {
        let held = self.blocks.get(&ptr).expect("a block that is held");
        assert_eq!(held.layout, layout, "not the layout it was requested with");
        held
    }

    fn give_back(&mut self, ptr: NonNull<u8>, layout: Layout) {
        self.check(ptr, layout);
        let held = self.blocks.remove(&ptr).unwrap();
        // SAFETY: the block was held, is `real.size()` bytes long, and the caller has given it up.
        unsafe { ptr.write_bytes(FREED, held.real.size()) };
        // SAFETY: it was taken from the same allocator with this layout, and is no longer in the map.
        unsafe { std::alloc::dealloc(ptr.as_ptr(), held.real) };
    }

    /// Moves or resizes a block and keeps everything that stands in it, its spare room included: what the trait allows,
    /// and the least that one may rely on.
    fn resize(&mut self, ptr: NonNull<u8>, old: Layout, new: Layout) -> NonNull<[u8]> {
        let (old_len, old_real) = {
            let held = self.check(ptr, old);
            (held.len, held.real)
        };
        let in_place = self.behaviour.room > 0
            && new.size() <= old_real.size()
            && ptr.addr().get().is_multiple_of(new.align());
        if in_place {
            let held = self.blocks.get_mut(&ptr).unwrap();
            held.layout = new;
            held.len = new.size();
            return NonNull::slice_from_raw_parts(ptr, new.size());
        }
        let block = self.take(new);
        // SAFETY: both blocks are at least that long, and are different blocks.
        unsafe {
            block
                .cast::<u8>()
                .copy_from_nonoverlapping(ptr, old_len.min(block.len()))
        };
        self.give_back(ptr, old);
        block
    }
}

// SAFETY: blocks come from the global allocator, stay until given back, and clones share all state.
unsafe impl Allocator for Checking {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let mut state = self.state();
        state.enter(Call::Allocate(layout))?;
        Ok(state.take(layout))
    }

    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let mut state = self.state();
        state.enter(Call::AllocateZeroed(layout))?;
        let block = state.take(layout);
        // SAFETY: the block is that long and not known to anyone else.
        unsafe { block.cast::<u8>().write_bytes(0, block.len()) };
        Ok(block)
    }

    unsafe fn deallocate(&self, ptr: NonNull<u8>, layout: Layout) {
        let mut state = self.state();
        state.calls.push(Call::Deallocate(layout));
        state.give_back(ptr, layout);
    }

    unsafe fn grow(
        &self,
        ptr: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        assert!(new.size() >= old.size());
        let mut state = self.state();
        state.enter(Call::Grow(old, new))?;
        Ok(state.resize(ptr, old, new))
    }

    unsafe fn grow_zeroed(
        &self,
        ptr: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        assert!(new.size() >= old.size());
        let mut state = self.state();
        state.enter(Call::GrowZeroed(old, new))?;
        let old_len = state.check(ptr, old).len;
        let block = state.resize(ptr, old, new);
        if block.len() > old_len {
            // SAFETY: the offset is within the block.
            let added = unsafe { block.cast::<u8>().add(old_len) };
            // SAFETY: the block ends there, and is not known to anyone else.
            unsafe { added.write_bytes(0, block.len() - old_len) };
        }
        Ok(block)
    }

    unsafe fn shrink(
        &self,
        ptr: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        assert!(new.size() <= old.size());
        let mut state = self.state();
        state.enter(Call::Shrink(old, new))?;
        Ok(state.resize(ptr, old, new))
    }
}

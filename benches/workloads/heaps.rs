//! The heaps to compare: three allocators, each bare and behind unkai.

use std::alloc::{GlobalAlloc, Layout, System};

use mimalloc::MiMalloc;
use tikv_jemallocator::Jemalloc;
use unkai::{Config, UnkaiGlobalAlloc};

/// A heap, as compiled code sees the global allocator: four functions behind calls that cannot be inlined.
///
/// Bare and tracked heaps are called by the very same machine code, so that a difference is the heap's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heap {
    alloc: unsafe fn(usize, usize) -> *mut u8,
    alloc_zeroed: unsafe fn(usize, usize) -> *mut u8,
    dealloc: unsafe fn(*mut u8, usize, usize),
    realloc: unsafe fn(*mut u8, usize, usize, usize) -> *mut u8,
}

/// An allocator by its name, bare and behind unkai.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    pub(crate) name: &'static str,
    pub(crate) bare: Heap,
    pub(crate) tracked: Heap,
}

pub(crate) const PAIRS: [Pair; 3] = [
    Pair {
        name: "mimalloc",
        bare: Heap::of::<BareMiMalloc>(),
        tracked: Heap::of::<TrackedMiMalloc>(),
    },
    Pair {
        name: "jemalloc",
        bare: Heap::of::<BareJemalloc>(),
        tracked: Heap::of::<TrackedJemalloc>(),
    },
    Pair {
        name: "System",
        bare: Heap::of::<BareSystem>(),
        tracked: Heap::of::<TrackedSystem>(),
    },
];

/// unkai over mimalloc: all trackers of a process share one profile, so this one answers for the others too.
pub(crate) static TRACKED: UnkaiGlobalAlloc<MiMalloc> =
    UnkaiGlobalAlloc::with_config(MiMalloc, Config::new().seed(1));

/// mimalloc behind unkai with a limit that is not exceeded: every operation is charged. To be used by itself, for the
/// settings of the heap that is used first hold for all.
pub(crate) const REFUSING: Heap = Heap::of::<RefusingMiMalloc>();

/// Lets unkai make itself ready, as it does before `main` where it is the global allocator. To be called first.
pub(crate) fn prepare() {
    let heap = &PAIRS[0].tracked;
    heap.give_back(heap.take(64));
    // This reads the unwind tables of the program.
    drop(TRACKED.snapshot());
}

impl Heap {
    const fn of<S: Static>() -> Self {
        Self {
            alloc: alloc::<S>,
            alloc_zeroed: alloc_zeroed::<S>,
            dealloc: dealloc::<S>,
            realloc: realloc::<S>,
        }
    }

    /// A new block of `size` bytes, 8-aligned.
    #[inline]
    pub(crate) fn take(&self, size: usize) -> Block {
        // SAFETY: no workload asks for zero bytes, and 8 is a valid alignment.
        let address = unsafe { (self.alloc)(size, ALIGN) };
        Block { address, size }.touched()
    }

    /// A new block of `size` zeros, 8-aligned.
    #[inline]
    pub(crate) fn take_zeroed(&self, size: usize) -> Block {
        // SAFETY: as in `take`.
        let address = unsafe { (self.alloc_zeroed)(size, ALIGN) };
        Block { address, size }.touched()
    }

    /// Gives a block back, which must be this heap's.
    #[inline]
    pub(crate) fn give_back(&self, block: Block) {
        // SAFETY: workloads give blocks back to the heap that they are from; a `Block` cannot be copied.
        unsafe { (self.dealloc)(block.address, block.size, ALIGN) }
    }

    /// Makes a block larger, which must be this heap's.
    #[inline]
    pub(crate) fn grow(&self, block: Block, size: usize) -> Block {
        // SAFETY: as in `give_back`; no workload grows to zero bytes.
        let address = unsafe { (self.realloc)(block.address, block.size, ALIGN, size) };
        Block { address, size }.touched()
    }
}

/// A block of a heap. Lost if it is dropped, like any block that nobody gives back.
#[derive(Debug)]
pub(crate) struct Block {
    address: *mut u8,
    size: usize,
}

// SAFETY: a block belongs to whoever has it, and heaps take blocks back on any thread.
unsafe impl Send for Block {}

impl Block {
    /// Writes to the block, as whoever asks for memory will.
    #[inline]
    fn touched(self) -> Self {
        assert!(!self.address.is_null(), "out of memory");
        // SAFETY: the block is ours, and not empty.
        unsafe { self.address.write_volatile(1) };
        self
    }
}

/// A global allocator that is not the program's: a type that stands for a `static`.
trait Static {
    type Heap: GlobalAlloc + 'static;
    const HEAP: &'static Self::Heap;
}

macro_rules! statics {
    ($($name:ident: $heap:ty = $value:expr;)*) => {$(
        struct $name;

        impl Static for $name {
            type Heap = $heap;
            const HEAP: &'static $heap = $value;
        }
    )*};
}

statics! {
    BareMiMalloc: MiMalloc = &MiMalloc;
    BareJemalloc: Jemalloc = &Jemalloc;
    BareSystem: System = &System;
    TrackedMiMalloc: UnkaiGlobalAlloc<MiMalloc> = &TRACKED;
    RefusingMiMalloc: UnkaiGlobalAlloc<MiMalloc> = &UnkaiGlobalAlloc::with_config(
        MiMalloc,
        Config::new().seed(1).limit(1 << 30).refuse_at_limit(true),
    );
    TrackedJemalloc: UnkaiGlobalAlloc<Jemalloc> = &UnkaiGlobalAlloc::with_config(Jemalloc, Config::new().seed(1));
    TrackedSystem: UnkaiGlobalAlloc<System> = &UnkaiGlobalAlloc::with_config(System, Config::new().seed(1));
}

// What `__rust_alloc` and its three companions are in a program: functions of plain numbers, never inlined.

/// # Safety
/// That of `GlobalAlloc::alloc`, for the layout of this size and alignment.
#[inline(never)]
unsafe fn alloc<S: Static>(size: usize, align: usize) -> *mut u8 {
    // SAFETY: the caller's promise.
    let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
    // SAFETY: the caller's promise is passed on.
    unsafe { S::HEAP.alloc(layout) }
}

/// # Safety
/// That of `GlobalAlloc::alloc_zeroed`, for the layout of this size and alignment.
#[inline(never)]
unsafe fn alloc_zeroed<S: Static>(size: usize, align: usize) -> *mut u8 {
    // SAFETY: the caller's promise.
    let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
    // SAFETY: the caller's promise is passed on.
    unsafe { S::HEAP.alloc_zeroed(layout) }
}

/// # Safety
/// That of `GlobalAlloc::dealloc`, for the layout of this size and alignment.
#[inline(never)]
unsafe fn dealloc<S: Static>(block: *mut u8, size: usize, align: usize) {
    // SAFETY: the caller's promise.
    let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
    // SAFETY: the caller's promise is passed on.
    unsafe { S::HEAP.dealloc(block, layout) }
}

/// # Safety
/// That of `GlobalAlloc::realloc`, for the layout of this size and alignment.
#[inline(never)]
unsafe fn realloc<S: Static>(block: *mut u8, size: usize, align: usize, new: usize) -> *mut u8 {
    // SAFETY: the caller's promise.
    let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
    // SAFETY: the caller's promise is passed on.
    unsafe { S::HEAP.realloc(block, layout, new) }
}

/// The alignment of every block: that of most.
const ALIGN: usize = 8;

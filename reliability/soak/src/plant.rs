//! Faults that are made on purpose, to show that each is found.

use std::alloc::{GlobalAlloc, Layout};
use std::ffi::c_int;
use std::hint::black_box;
use std::ptr;
use std::thread;
use std::time::{Duration, Instant};

use crate::Heap;
use crate::gate::Work;
use crate::random::Random;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plant {
    Heap,
    Mapped,
    Stacks,
    Descriptor,
    Thread,
    Uncounted,
    Crossing,
    Scope,
    Slow,
}

/// All of them, with their names, and what each does.
pub(crate) const ALL: [(&str, &str, Plant); 9] = [
    ("heap", "leaks 1 KiB each second from the heap", Plant::Heap),
    (
        "mapped",
        "touches 1 KiB more each second beside the heap, where no allocator sees it",
        Plant::Mapped,
    ),
    (
        "stacks",
        "allocates from ever new call stacks, which fill unkai's own tables",
        Plant::Stacks,
    ),
    (
        "descriptor",
        "leaves a file open each round",
        Plant::Descriptor,
    ),
    ("thread", "leaves a thread behind each round", Plant::Thread),
    (
        "uncounted",
        "asks unkai for 8 bytes each round, behind the back of the independent count",
        Plant::Uncounted,
    ),
    (
        "crossing",
        "says that live bytes rose once more than they did",
        Plant::Crossing,
    ),
    ("scope", "never frees a collection in a scope", Plant::Scope),
    (
        "slow",
        "lets each allocation through unkai wait for 100 ns more",
        Plant::Slow,
    ),
];

impl Plant {
    pub(crate) fn named(name: &str) -> Option<Self> {
        let found = ALL.iter().find(|(known, ..)| *known == name);
        found.map(|&(.., plant)| plant)
    }
}

/// What the command line calls it.
pub(crate) fn name(plant: Plant) -> &'static str {
    let found = ALL.iter().find(|(.., known)| *known == plant);
    found.map_or("", |(name, ..)| name)
}

/// Does what is wrong, beside the load.
pub(crate) struct Planted {
    plant: Plant,
    heap: &'static Heap,
    random: Random,
    begun: Instant,
    leaked: u64,
    region: Region,
    is_new_round: bool,
}

impl Planted {
    pub(crate) fn new(plant: Plant, heap: &'static Heap) -> Self {
        Self {
            plant,
            heap,
            random: Random::new(99),
            begun: Instant::now(),
            leaked: 0,
            region: Region::new(),
            is_new_round: true,
        }
    }
}

impl Work for Planted {
    fn begin(&mut self, _is_quiet: bool) {
        self.is_new_round = true;
    }

    fn step(&mut self) {
        thread::sleep(Duration::from_millis(20));
        let seconds = self.begun.elapsed().as_secs();
        let is_new_round = std::mem::replace(&mut self.is_new_round, false);
        match self.plant {
            Plant::Heap if seconds > self.leaked => {
                self.leaked += 1;
                std::mem::forget(black_box(vec![1_u8; 1024]));
            }
            Plant::Mapped => self.region.touch_up_to(seconds as usize * 1024),
            Plant::Stacks => (0..2).for_each(|_| descend(self.random.next(), 40)),
            Plant::Descriptor if is_new_round => {
                // SAFETY: standard error is open, or there is an error, which does not matter.
                let _: c_int = unsafe { libc::dup(2) };
            }
            Plant::Thread if is_new_round => drop(thread::spawn(|| {
                loop {
                    thread::park();
                }
            })),
            Plant::Uncounted if is_new_round => {
                let layout = Layout::new::<u64>();
                // SAFETY: the size is not zero.
                let block = unsafe { self.heap.inner.alloc(layout) };
                // SAFETY: it was allocated with this layout just now.
                unsafe { self.heap.inner.dealloc(block, layout) };
            }
            _ => {}
        }
    }

    fn rest(&mut self) {}
}

/// As many call stacks as there are bits.
#[inline(never)]
fn descend(path: u64, depth: u32) {
    if depth == 0 {
        drop(black_box(Box::new([0_u8; 4096])));
    } else if path & 1 == 0 {
        descend(black_box(path >> 1), depth - 1);
    } else {
        descend(black_box(path >> 1), depth - 1);
        black_box(());
    }
    black_box(depth);
}

/// Memory that no allocator has.
struct Region {
    start: *mut u8,
    touched: usize,
}

/// More than half an hour needs.
const REGION_BYTES: usize = 64 << 20;

impl Region {
    fn new() -> Self {
        // SAFETY: a new mapping harms none.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                REGION_BYTES,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        assert_ne!(start, libc::MAP_FAILED);
        // Else the first touch of all is two MiB.
        // SAFETY: it is this mapping, of this length.
        unsafe { libc::madvise(start, REGION_BYTES, libc::MADV_NOHUGEPAGE) };
        Self {
            start: start.cast(),
            touched: 0,
        }
    }

    fn touch_up_to(&mut self, bytes: usize) {
        while self.touched < bytes.min(REGION_BYTES) {
            // SAFETY: this lies within the mapping.
            let place = unsafe { self.start.add(self.touched) };
            // SAFETY: it is writable, and nobody else's.
            unsafe { place.write_volatile(1) };
            self.touched += 1024;
        }
    }
}

// SAFETY: the mapping belongs to whoever has the region.
unsafe impl Send for Region {}

/// The allocator under test, or one that is slower.
pub(crate) struct MaybeSlow<'h, A> {
    pub(crate) inner: &'h A,
    pub(crate) ticks: u64,
}

// SAFETY: hands every call over as it came.
unsafe impl<A: GlobalAlloc> GlobalAlloc for MaybeSlow<'_, A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = crate::clock::begin();
        while crate::clock::begin() - start < self.ticks {}
        // SAFETY: passed on.
        unsafe { self.inner.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe { self.inner.dealloc(block, layout) }
    }
}

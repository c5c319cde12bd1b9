//! An inner allocator that knows every block it gave, and aborts the process on the first thing that is wrong with one
//! that it gets back. Blocks come from mimalloc, jemalloc and the system's allocator in turn, so each is tried.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use allocator_api2::alloc::{AllocError, Allocator};
use hashbrown::HashMap;
use mimalloc::MiMalloc;
use tikv_jemallocator::Jemalloc;

/// Keeps the layout and the origin of every block, outside the heap under test.
#[derive(Debug)]
pub struct Checking {
    blocks: [Mutex<Option<Blocks>>; SHARDS],
    calls: AtomicU64,
    /// Every call with this number, and every multiple, is refused; 0 refuses none.
    refuse_every: AtomicU64,
    /// The call with this number is refused; 0 refuses none.
    refuse_call: AtomicU64,
    /// One call in so many is refused, by chance; 0 refuses none.
    refuse_by_chance: AtomicU64,
}

type Blocks = HashMap<usize, Given, BuildHasherDefault<DefaultHasher>, Private>;

#[derive(Clone, Copy, Debug)]
struct Given {
    layout: Layout,
    origin: Origin,
}

#[derive(Clone, Copy, Debug)]
enum Origin {
    MiMalloc,
    Jemalloc,
    System,
}

impl Origin {
    fn heap(self) -> &'static dyn GlobalAlloc {
        match self {
            Self::MiMalloc => &MiMalloc,
            Self::Jemalloc => &Jemalloc,
            Self::System => &System,
        }
    }
}

const SHARDS: usize = 64;

impl Checking {
    /// One that has given nothing yet.
    pub const fn new() -> Self {
        Self {
            blocks: [const { Mutex::new(None) }; SHARDS],
            calls: AtomicU64::new(0),
            refuse_every: AtomicU64::new(0),
            refuse_call: AtomicU64::new(0),
            refuse_by_chance: AtomicU64::new(0),
        }
    }

    /// Blocks that were given and not taken back.
    pub fn live_blocks(&self) -> usize {
        let count = |shard: &Mutex<Option<Blocks>>| {
            shard
                .lock()
                .map_or(0, |blocks| blocks.as_ref().map_or(0, HashMap::len))
        };
        self.blocks.iter().map(count).sum()
    }

    /// Refuses every n-th request from now on; 0 refuses none.
    pub fn refuse_every(&self, n: u64) {
        self.refuse_every.store(n, SeqCst);
    }

    /// Requests so far.
    pub fn calls(&self) -> u64 {
        self.calls.load(SeqCst)
    }

    /// Refuses the n-th request from now on; 0 refuses none.
    pub fn refuse_call(&self, n: u64) {
        let call = if n == 0 { 0 } else { self.calls() + n };
        self.refuse_call.store(call, SeqCst);
    }

    /// Refuses one request in `n` by chance, which the numbers of the requests decide; 0 refuses none.
    pub fn refuse_by_chance(&self, n: u64) {
        self.refuse_by_chance.store(n, SeqCst);
    }

    /// Where the next block is to come from; `None` if it is refused.
    fn next(&self) -> Option<Origin> {
        let call = self.calls.fetch_add(1, SeqCst) + 1;
        let is_one_in = |n: u64, number: u64| n != 0 && number.is_multiple_of(n);
        let by_chance = call.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let is_refused = is_one_in(self.refuse_every.load(SeqCst), call)
            || is_one_in(self.refuse_by_chance.load(SeqCst), by_chance)
            || self.refuse_call.load(SeqCst) == call;
        let origins = [Origin::MiMalloc, Origin::Jemalloc, Origin::System];
        (!is_refused).then_some(origins[call as usize % 3])
    }

    fn with<R>(&self, block: *mut u8, action: impl FnOnce(&mut Blocks) -> R) -> R {
        let shard = &self.blocks[(block as usize >> 4) % SHARDS];
        let mut blocks = shard
            .lock()
            .unwrap_or_else(|_| fail("a check panicked", block));
        action(blocks.get_or_insert_with(|| HashMap::with_hasher_in(Default::default(), Private)))
    }

    fn give(&self, block: *mut u8, given: Given) -> *mut u8 {
        if block.is_null() {
            return block;
        }
        if !(block as usize).is_multiple_of(given.layout.align()) {
            fail("the inner allocator misaligned a block", block);
        }
        if self
            .with(block, |blocks| blocks.insert(block as usize, given))
            .is_some()
        {
            fail("a block was given twice", block);
        }
        block
    }

    fn take(&self, block: *mut u8, layout: Layout) -> Origin {
        match self.with(block, |blocks| blocks.remove(&(block as usize))) {
            None => fail("a block came back that was never given, or twice", block),
            Some(given) if given.layout != layout => {
                fail("a block came back with another layout", block)
            }
            Some(given) => given.origin,
        }
    }
}

// SAFETY: hands every call over to the allocator that a block comes from, or refuses it.
unsafe impl GlobalAlloc for Checking {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(origin) = self.next() else {
            return std::ptr::null_mut();
        };
        // SAFETY: passed on.
        let block = unsafe { origin.heap().alloc(layout) };
        self.give(block, Given { layout, origin })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let Some(origin) = self.next() else {
            return std::ptr::null_mut();
        };
        // SAFETY: passed on.
        let block = unsafe { origin.heap().alloc_zeroed(layout) };
        self.give(block, Given { layout, origin })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let origin = self.take(block, layout);
        // SAFETY: passed on, to where the block comes from.
        unsafe { origin.heap().dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if self.next().is_none() {
            return std::ptr::null_mut();
        }
        let origin = self.take(block, layout);
        let Ok(wanted) = Layout::from_size_align(new_size, layout.align()) else {
            fail("a realloc to an impossible layout", block);
        };
        // SAFETY: passed on, to where the block comes from.
        let resized = unsafe { origin.heap().realloc(block, layout, new_size) };
        if resized.is_null() {
            self.give(block, Given { layout, origin });
            return resized;
        }
        self.give(
            resized,
            Given {
                layout: wanted,
                origin,
            },
        )
    }
}

/// Says what is wrong and ends the process: a panic would allocate.
fn fail(what: &str, block: *mut u8) -> ! {
    use std::io::Write;
    let mut text = [0u8; 256];
    let mut rest = &mut text[..];
    let _ = writeln!(rest, "checking allocator: {what} (at {block:p})");
    let left = rest.len();
    let _ = std::io::stderr().write_all(&text[..256 - left]);
    std::process::abort()
}

/// Memory for the checker itself, beside the heap under test.
#[derive(Clone, Copy, Debug)]
struct Private;

// SAFETY: `System` keeps these promises for blocks of a size above zero; hashbrown asks for no other.
unsafe impl Allocator for Private {
    fn allocate(&self, layout: Layout) -> Result<std::ptr::NonNull<[u8]>, AllocError> {
        assert!(layout.size() > 0);
        // SAFETY: the size is above zero.
        let block = unsafe { System.alloc(layout) };
        let block = std::ptr::NonNull::new(block).ok_or(AllocError)?;
        Ok(std::ptr::NonNull::slice_from_raw_parts(
            block,
            layout.size(),
        ))
    }

    unsafe fn deallocate(&self, block: std::ptr::NonNull<u8>, layout: Layout) {
        // SAFETY: passed on.
        unsafe { System.dealloc(block.as_ptr(), layout) }
    }
}

//! A library whose allocator is that of the program which loads it, as plugins do: every block of either is the other's, too.
//! See `src/libraries/`.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::RefCell;
use std::hint::black_box;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

#[path = "../src/libraries/border.rs"]
mod border;

use border::{Block, Host};

#[global_allocator]
static HEAP: ThroughHost = ThroughHost;

/// The program's allocator, by its functions.
struct ThroughHost;

static HOST: AtomicPtr<Host> = AtomicPtr::new(ptr::null_mut());

fn host() -> &'static Host {
    // SAFETY: null, or what `begin` was given: it lives as long as the program.
    match unsafe { HOST.load(Ordering::Acquire).as_ref() } {
        Some(host) => host,
        // Nothing here allocates before the host has called `begin`.
        None => std::process::abort(),
    }
}

// SAFETY: hands every call over as it came.
unsafe impl GlobalAlloc for ThroughHost {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: passed on.
        unsafe { (host().alloc)(layout.size(), layout.align()) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe { (host().dealloc)(block, layout.size(), layout.align()) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: passed on.
        unsafe { (host().realloc)(block, layout.size(), layout.align(), new_size) }
    }
}

thread_local! {
    /// Freed when the thread ends: its destructor is code of this library.
    static KEPT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Must be the first call.
#[unsafe(no_mangle)]
extern "C" fn begin(host: &'static Host) {
    HOST.store(ptr::from_ref(host).cast_mut(), Ordering::Release);
}

/// Allocates and frees, several calls deep.
#[unsafe(no_mangle)]
extern "C" fn work(rounds: usize) -> usize {
    (0..rounds).map(|round| deeper(round % 16, round)).sum()
}

#[inline(never)]
fn deeper(levels: usize, size: usize) -> usize {
    let mut block = black_box(vec![1_u8; size + 1]);
    if let Some(levels) = levels.checked_sub(1) {
        block.push(deeper(levels, size) as u8);
        block.reserve(1000);
    }
    black_box(block.len())
}

/// A block that the host will free.
#[unsafe(no_mangle)]
extern "C" fn give(size: usize) -> Block {
    Block::of(black_box(vec![2_u8; size]))
}

/// Frees a block of the host's.
#[unsafe(no_mangle)]
extern "C" fn take(block: Block) -> usize {
    let block = block.into_vec();
    block.iter().map(|&byte| usize::from(byte)).sum()
}

/// Keeps a block until this thread ends.
#[unsafe(no_mangle)]
extern "C" fn keep(size: usize) -> usize {
    KEPT.with_borrow_mut(|kept| {
        kept.push(vec![3; size]);
        kept.len()
    })
}

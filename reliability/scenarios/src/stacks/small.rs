//! Threads with very small stacks, and how much of a stack a sample takes at most.

use std::alloc::Layout;
use std::ffi::c_void;
use std::hint::black_box;
use std::ptr;

use super::painted::Painted;
use crate::describe::{Names, describe_fully};
use crate::heap::{Heap, sample_from_here_on, totals_are_exact};

/// Half of the smallest stack that programs commonly give to a thread: the other half is theirs.
const A_SAMPLE_FITS_IN: usize = 32 << 10;

/// That smallest stack.
const COMMON: usize = 64 << 10;

/// What the inner allocator is called from: frames of unkai's and of the scenario's.
const AROUND_IT: usize = 16 << 10;

/// A guard, the thread's own variables, and what has started it.
const OF_A_THREAD: usize = 16 << 10;

pub(crate) fn play(heap: &'static dyn Heap) {
    sample_from_here_on(heap, 1);
    let inner = used_by(heap, &unsampled);
    eprintln!("the inner allocator alone takes {inner} bytes of stack");
    let tell = |what, bytes, at_most: usize| {
        eprintln!("{what} takes {bytes} bytes of stack");
        // Some inner allocators take much themselves where they are built without optimisation.
        let at_most = at_most.max(inner + AROUND_IT);
        assert!(bytes <= at_most, "{what}: {bytes} bytes, {at_most} at most");
    };
    tell("a sample", used_by(heap, &sampled), A_SAMPLE_FITS_IN);
    let in_a_handler = used_by(heap, &sampled_in_a_handler);
    tell(
        "a sample below a signal's frame",
        in_a_handler,
        A_SAMPLE_FITS_IN,
    );
    let snapshot = used_by(heap, &|heap| drop(heap.snapshot()));
    tell("a snapshot", snapshot, COMMON - OF_A_THREAD);
    // No promise: it compresses.
    let report = used_by(heap, &|heap| drop(describe_fully(heap, Names::LeftOut)));
    eprintln!("a report without names takes {report} bytes of stack");
    let with_names = used_by(heap, &|heap| drop(describe_fully(heap, Names::Found)));
    eprintln!("a report with names takes {with_names} bytes of stack");
    threads_of(small(used_by(heap, &beneath)));
    totals_are_exact(heap, "after threads with small stacks");
}

/// 64 KiB, whatever unkai takes: half of it for a sample. Larger only by what the inner allocator takes beyond its share by
/// itself, and where the system has no stacks so small.
fn small(inner: usize) -> usize {
    let more = inner.saturating_sub(AROUND_IT).next_multiple_of(4096);
    // SAFETY: asks for a number.
    let smallest = unsafe { libc::sysconf(libc::_SC_THREAD_STACK_MIN) } as usize;
    // On aarch64, that is twice what is common elsewhere.
    let stack = (COMMON + more).max(smallest);
    eprintln!(
        "threads have {stack} bytes of stack: {COMMON}, {more} for the inner allocator, which takes {inner} by itself; the system's \
         least is {smallest}"
    );
    stack
}

/// The smallest stack for some work with blocks: what they take, sampled or not, and a little for the work.
pub(super) fn enough(heap: &'static dyn Heap) -> usize {
    (used_by(heap, &sampled) + AROUND_IT + OF_A_THREAD).next_multiple_of(4096)
}

/// As `sampled`, of the inner allocator and of nobody else.
fn beneath(heap: &dyn Heap) {
    let heap = heap.beneath();
    for size in SIZES {
        let layout = Layout::array::<u8>(size).expect("a small size");
        let larger = Layout::array::<u8>(size * 3).expect("a small size");
        // SAFETY: the size is not zero.
        let block = unsafe { heap.alloc_zeroed(layout) };
        assert!(!block.is_null(), "no memory");
        // SAFETY: a block of this layout, and a size that is not zero.
        let block = unsafe { heap.realloc(block, layout, larger.size()) };
        assert!(!block.is_null(), "no memory");
        // SAFETY: as above.
        let block = unsafe { heap.realloc(block, larger, layout.size()) };
        assert!(!block.is_null(), "no memory");
        // SAFETY: a block of this layout, freed once.
        unsafe { heap.dealloc(black_box(block), layout) };
    }
}

const SIZES: [usize; 5] = [1, 100, 5000, 70_000, 200_000];

/// With sampling turned off; then every block is sampled.
fn unsampled(heap: &dyn Heap) {
    heap.set_sampling_interval(0);
    sampled(heap);
    heap.set_sampling_interval(1);
}

/// Blocks of many sizes, from several places, grown and shrunk.
fn sampled(_: &dyn Heap) {
    for size in SIZES {
        let mut block = black_box(vec![0_u8; size]);
        block.reserve_exact(size * 2);
        block.shrink_to(size);
        let text = black_box(format!("{size}"));
        drop(black_box((block, text)));
    }
}

/// Where the tables leave the walk to the portable one. The signal comes by a call, so the handler may allocate.
fn sampled_in_a_handler(_: &dyn Heap) {
    extern "C" fn handler(_: i32) {
        sampled(HEAP.get().copied().expect("set before"));
    }
    // SAFETY: a function for a signal.
    let before = unsafe {
        libc::signal(
            libc::SIGUSR2,
            handler as extern "C" fn(i32) as libc::sighandler_t,
        )
    };
    assert_ne!(before, libc::SIG_ERR);
    // SAFETY: calls the handler, here and now.
    assert_eq!(unsafe { libc::raise(libc::SIGUSR2) }, 0);
}

/// For the handler.
static HEAP: std::sync::OnceLock<&'static dyn Heap> = std::sync::OnceLock::new();

/// Bytes of stack that `work` takes at most on a thread that has not allocated before.
fn used_by(heap: &'static dyn Heap, work: &(dyn Fn(&dyn Heap) + Sync)) -> usize {
    HEAP.get_or_init(|| heap);
    let mut used = 0;
    // The second time, all caches are warm: the first one counts, and both are played.
    for _ in 0..2 {
        used = used.max(Painted::new(1 << 20).used_by(&mut || work(heap)));
    }
    used
}

/// Threads with stacks of this size, guard included, allocate and end.
fn threads_of(stack: usize) {
    extern "C" fn work(_: *mut c_void) -> *mut c_void {
        nested(20);
        ptr::null_mut()
    }
    for _ in 0..50 {
        let mut attributes = std::mem::MaybeUninit::uninit();
        // SAFETY: room for attributes.
        let failed = unsafe { libc::pthread_attr_init(attributes.as_mut_ptr()) };
        assert_eq!(failed, 0);
        // SAFETY: initialised above.
        let set = unsafe { libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), stack) };
        assert_eq!(set, 0, "no stack of {stack} bytes");
        let mut thread = 0;
        // SAFETY: the attributes were initialised, and `work` is a function for a thread.
        let started = unsafe {
            libc::pthread_create(&mut thread, attributes.as_ptr(), work, ptr::null_mut())
        };
        assert_eq!(started, 0, "no thread");
        // SAFETY: started above, joined once.
        assert_eq!(unsafe { libc::pthread_join(thread, ptr::null_mut()) }, 0);
        // SAFETY: initialised above, not used any more.
        unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    }
}

fn nested(levels: usize) -> usize {
    let block = black_box(vec![1_u8; levels * 10]);
    let deeper = levels.checked_sub(1).map_or(0, nested);
    black_box(block).len() + deeper
}

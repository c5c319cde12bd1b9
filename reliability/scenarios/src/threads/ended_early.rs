//! Threads that end before their function returns: by `pthread_exit`, and cancelled by another thread at a place where they
//! may be. Their stacks are unwound, and destructors of their keys and thread-locals run.
//!
//! Cancelling a thread *at any instruction* (`PTHREAD_CANCEL_ASYNCHRONOUS`) is not among what may happen: POSIX allows it
//! to threads only that call nothing but three functions, of which no allocator is one.

use std::cell::RefCell;
use std::ffi::c_void;
use std::hint::black_box;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use crate::heap::{Heap, totals_are_exact};
use crate::random::Random;

const THREADS: usize = 200;

static AT_WORK: AtomicUsize = AtomicUsize::new(0);
static ENDED: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static OWNED: RefCell<Owned> = const { RefCell::new(Owned(Vec::new())) };
}

struct Owned(Vec<Vec<u8>>);

impl Drop for Owned {
    fn drop(&mut self) {
        ENDED.fetch_add(1, SeqCst);
        self.0.push(vec![1; 3000]);
    }
}

pub(crate) fn play(heap: &'static dyn Heap) {
    for _ in 0..THREADS {
        let thread = start(exits);
        assert!(join(thread).is_null(), "not ended by pthread_exit");
    }
    assert_eq!(ENDED.swap(0, SeqCst), THREADS, "destructors");
    totals_are_exact(heap, "after threads that exit");

    for number in 1..=THREADS {
        let thread = start(allocates_until_cancelled);
        while AT_WORK.load(SeqCst) < number {
            std::thread::yield_now();
        }
        // SAFETY: a thread that was started and not yet joined.
        assert_eq!(unsafe { pthread_cancel(thread) }, 0);
        assert_eq!(join(thread), CANCELED, "not ended by the cancellation");
    }
    assert_eq!(ENDED.load(SeqCst), THREADS, "destructors");
    totals_are_exact(heap, "after threads that were cancelled");
    let threads = heap.snapshot().own_memory.threads.entries;
    assert!(
        threads < THREADS as u64,
        "{threads} threads with counters, where two lived at once"
    );
}

type Body = extern "C-unwind" fn(*mut c_void) -> *mut c_void;

/// What a thread that was cancelled returns.
const CANCELED: *mut c_void = ptr::without_provenance_mut(usize::MAX);

unsafe extern "C-unwind" {
    fn pthread_testcancel();
    fn pthread_exit(value: *mut c_void) -> !;
    fn pthread_cancel(thread: libc::pthread_t) -> libc::c_int;
    /// As `libc` declares it, but for what may unwind through the thread's function.
    #[link_name = "pthread_create"]
    fn create(
        thread: *mut libc::pthread_t,
        attributes: *const libc::pthread_attr_t,
        body: Body,
        argument: *mut c_void,
    ) -> libc::c_int;
}

fn start(body: Body) -> libc::pthread_t {
    let mut thread = 0;
    // SAFETY: a function for a thread, that does not look at its argument.
    let failed = unsafe { create(&mut thread, ptr::null(), body, ptr::null_mut()) };
    assert_eq!(failed, 0, "no thread");
    thread
}

fn join(thread: libc::pthread_t) -> *mut c_void {
    let mut returned = ptr::null_mut();
    // SAFETY: a thread that was started and not yet joined.
    assert_eq!(unsafe { libc::pthread_join(thread, &mut returned) }, 0);
    returned
}

extern "C-unwind" fn exits(_: *mut c_void) -> *mut c_void {
    OWNED.with_borrow_mut(|owned| owned.0.extend((0..50).map(|n| vec![1; n * 100])));
    // SAFETY: no frame between here and the thread's beginning has anything to drop.
    unsafe { pthread_exit(ptr::null_mut()) }
}

extern "C-unwind" fn allocates_until_cancelled(_: *mut c_void) -> *mut c_void {
    OWNED.with_borrow_mut(|owned| owned.0.push(Vec::new()));
    AT_WORK.fetch_add(1, SeqCst);
    let mut random = Random::new(AT_WORK.load(SeqCst) as u64);
    loop {
        allocate(&mut random);
        // SAFETY: no frame between here and the thread's beginning has anything to drop.
        unsafe { pthread_testcancel() };
    }
}

/// A request to cancel comes while this allocates, most of the time.
fn allocate(random: &mut Random) {
    OWNED.with_borrow_mut(|owned| {
        let blocks = &mut owned.0;
        blocks.push(black_box(vec![1; random.size(100_000)]));
        if blocks.len() > 50 {
            blocks.clear();
        }
    });
}

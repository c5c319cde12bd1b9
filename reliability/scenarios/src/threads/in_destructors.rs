//! Allocation while a thread ends, in each way that there is, before and after unkai has taken leave of the thread; and threads
//! whose first allocation ever is such a one.

use std::cell::RefCell;
use std::ffi::c_void;
use std::hint::black_box;
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};

use crate::bare_thread::{BareThread, Body};
use crate::heap::{Heap, totals_are_exact};

const THREADS: u32 = 200;

/// How often the C library runs destructors of keys whose value is set again meanwhile.
/// (`PTHREAD_DESTRUCTOR_ITERATIONS`).
const ROUNDS: usize = 4;

static KEY: AtomicU32 = AtomicU32::new(0);
static OF_STD: AtomicUsize = AtomicUsize::new(0);
static OF_CXX: AtomicUsize = AtomicUsize::new(0);
static OF_KEYS: AtomicUsize = AtomicUsize::new(0);

pub(crate) fn play(heap: &'static dyn Heap) {
    // SAFETY: asks for a number.
    let rounds = unsafe { libc::sysconf(libc::_SC_THREAD_DESTRUCTOR_ITERATIONS) };
    assert_eq!(rounds, ROUNDS as i64, "this C library has other rounds");
    let mut key = 0;
    // SAFETY: room for the key, and a function that takes what is set for it.
    let failed = unsafe { libc::pthread_key_create(&mut key, Some(of_key)) };
    assert_eq!(failed, 0, "no key");
    KEY.store(key, SeqCst);

    let all = [
        // std's: the first is registered before the thread has done anything with the heap, the second after.
        (of_std as Body, "std's thread-locals", [2, 0, 0]),
        (of_cxx, "C++'s thread-locals", [0, 2, 0]),
        (of_keys, "a key", [0, 0, ROUNDS]),
        (of_all, "all of them", [2, 2, ROUNDS]),
        (first_in_std, "std's, the first allocation", [1, 0, 0]),
        (first_in_cxx, "C++'s, the first allocation", [0, 1, 0]),
    ];
    for (body, context, destructors) in all {
        destructors_run(heap, body, context, destructors);
    }
    // Each thread has given its counters back: there were never more than a few at once.
    let threads = || heap.snapshot().own_memory.threads.entries;
    assert!(
        threads() < u64::from(THREADS),
        "{} threads with counters, where two lived at once",
        threads()
    );
    // A thread that begins when its thread-locals are gone has nothing left by which it could give them back.
    let before = threads();
    let context = "a key, the first allocation";
    destructors_run(heap, first_in_key, context, [0, 0, ROUNDS]);
    assert!(threads() <= before + u64::from(THREADS));
}

fn destructors_run(heap: &'static dyn Heap, body: Body, context: &str, destructors: [usize; 3]) {
    for counter in [&OF_STD, &OF_CXX, &OF_KEYS] {
        counter.store(0, SeqCst);
    }
    for _ in 0..THREADS {
        BareThread::start(body, 0).join();
    }
    let ran = [&OF_STD, &OF_CXX, &OF_KEYS].map(|counter| counter.load(SeqCst));
    let expected = destructors.map(|each| each * THREADS as usize);
    assert_eq!(ran, expected, "destructors that ran, with {context}");
    totals_are_exact(heap, context);
}

fn allocate() -> Vec<Vec<u8>> {
    black_box((1..20).map(|n| vec![1; n * 333]).collect())
}

extern "C" fn of_std(_: *mut c_void) -> *mut c_void {
    BEFORE.with_borrow_mut(|_| {});
    drop(allocate());
    AFTER.with_borrow_mut(|late| late.0 = allocate());
    ptr::null_mut()
}

extern "C" fn of_cxx(_: *mut c_void) -> *mut c_void {
    at_thread_exit();
    drop(allocate());
    at_thread_exit();
    ptr::null_mut()
}

extern "C" fn of_keys(_: *mut c_void) -> *mut c_void {
    set_key(allocate());
    ptr::null_mut()
}

extern "C" fn of_all(_: *mut c_void) -> *mut c_void {
    at_thread_exit();
    BEFORE.with_borrow_mut(|_| {});
    set_key(allocate());
    AFTER.with_borrow_mut(|late| late.0 = allocate());
    at_thread_exit();
    ptr::null_mut()
}

extern "C" fn first_in_std(_: *mut c_void) -> *mut c_void {
    BEFORE.with_borrow_mut(|_| {});
    ptr::null_mut()
}

extern "C" fn first_in_cxx(_: *mut c_void) -> *mut c_void {
    at_thread_exit();
    ptr::null_mut()
}

extern "C" fn first_in_key(_: *mut c_void) -> *mut c_void {
    // An address that is no block's: the thread owns nothing yet.
    let nothing = ptr::without_provenance_mut(ROUNDS);
    // SAFETY: a key that was made and is there to the end, with a value that its destructor knows.
    assert_eq!(unsafe { libc::pthread_setspecific(key(), nothing) }, 0);
    ptr::null_mut()
}

// std's.

thread_local! {
    static BEFORE: RefCell<Late> = const { RefCell::new(Late(Vec::new())) };
    static AFTER: RefCell<Late> = const { RefCell::new(Late(Vec::new())) };
    /// First used while its thread ends.
    static LATEST: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Frees and allocates while its thread ends.
struct Late(Vec<Vec<u8>>);

impl Drop for Late {
    fn drop(&mut self) {
        OF_STD.fetch_add(1, SeqCst);
        drop(allocate());
        for block in &mut self.0 {
            block.reserve_exact(2000);
        }
        // It may have been dropped already.
        let _ = LATEST.try_with(|latest| latest.borrow_mut().extend(allocate()));
    }
}

// C++'s.

unsafe extern "C" {
    /// By which destructors of C++'s thread-locals are registered.
    fn __cxa_thread_atexit_impl(
        destructor: unsafe extern "C" fn(*mut c_void),
        object: *mut c_void,
        module: *mut c_void,
    ) -> libc::c_int;
    static __dso_handle: u8;
}

fn at_thread_exit() {
    let module = (&raw const __dso_handle).cast_mut().cast();
    // SAFETY: `of_cxx_object` takes any pointer, and the handle is that of the module it is in.
    let failed = unsafe { __cxa_thread_atexit_impl(of_cxx_object, ptr::null_mut(), module) };
    assert_eq!(failed, 0, "no destructor");
}

unsafe extern "C" fn of_cxx_object(_: *mut c_void) {
    OF_CXX.fetch_add(1, SeqCst);
    drop(allocate());
}

// Those of keys.

fn key() -> libc::pthread_key_t {
    KEY.load(SeqCst)
}

/// What is on its way through the rounds.
struct Kept {
    rounds_left: usize,
    blocks: Vec<Vec<u8>>,
}

fn set_key(blocks: Vec<Vec<u8>>) {
    keep(Kept {
        rounds_left: ROUNDS,
        blocks,
    });
}

fn keep(kept: Kept) {
    let kept = Box::into_raw(Box::new(kept));
    // SAFETY: a key that was made and is there to the end, with a value that its destructor knows.
    assert_eq!(unsafe { libc::pthread_setspecific(key(), kept.cast()) }, 0);
}

unsafe extern "C" fn of_key(value: *mut c_void) {
    OF_KEYS.fetch_add(1, SeqCst);
    let mut kept = if value.addr() == ROUNDS {
        Kept {
            rounds_left: ROUNDS,
            blocks: Vec::new(),
        }
    } else {
        // SAFETY: any other value is from `keep`, and each is handed to one destructor.
        *unsafe { Box::from_raw(value.cast()) }
    };
    for block in &mut kept.blocks {
        block.reserve_exact(3000);
    }
    kept.blocks.truncate(10);
    kept.blocks.extend(allocate());
    kept.rounds_left -= 1;
    // After the last round nobody would come back for it.
    if kept.rounds_left > 0 {
        keep(kept);
    }
}

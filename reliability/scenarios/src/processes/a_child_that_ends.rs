//! A child that is forked from a thread and ends as a process usually does: its only thread returns, destructors of
//! thread-locals run, then what is registered for the end. All while the parent's threads allocate.

use std::cell::RefCell;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering::SeqCst};
use std::time::{Duration, Instant};

use crate::bare_thread::BareThread;
use crate::describe::{Format, Names, describe};
use crate::heap::{Heap, totals_are_exact};
use crate::load::Load;

const CHILDREN: usize = 100;

/// The process that is not to run anything at its end but what it would anyway.
static PARENT: AtomicI32 = AtomicI32::new(0);
static CHILD: AtomicI32 = AtomicI32::new(0);
static DESTRUCTORS: AtomicU32 = AtomicU32::new(0);
static HEAP: std::sync::OnceLock<&'static dyn Heap> = std::sync::OnceLock::new();

/// With this status a child says that all of that has happened.
const ALL_HAS_RUN: i32 = 42;

thread_local! {
    static LATE: RefCell<Late> = const { RefCell::new(Late(Vec::new())) };
}

struct Late(Vec<u8>);

impl Drop for Late {
    fn drop(&mut self) {
        self.0.extend([1; 5000]);
        DESTRUCTORS.fetch_add(1, SeqCst);
    }
}

pub(crate) fn play(heap: &'static dyn Heap) {
    // SAFETY: asks for a number.
    PARENT.store(unsafe { libc::getpid() }, SeqCst);
    assert!(HEAP.set(heap).is_ok());
    // SAFETY: a function without arguments, that is there to the end.
    assert_eq!(unsafe { libc::atexit(at_exit) }, 0);
    let load = Load::start(3, 9);
    for _ in 0..CHILDREN {
        BareThread::start(fork_here, 0).join();
        ends_with_all(CHILD.load(SeqCst));
    }
    load.stop();
    totals_are_exact(heap, "in the parent of children that end");
}

/// In the child, too, the thread ends by returning; being the last, it takes the process with it.
extern "C" fn fork_here(_: *mut libc::c_void) -> *mut libc::c_void {
    LATE.with_borrow_mut(|late| late.0.push(1));
    DESTRUCTORS.store(0, SeqCst);
    // SAFETY: the child goes on with this thread alone. What it needs of the locks that others hold is what is under test.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "no child");
    if child > 0 {
        CHILD.store(child, SeqCst);
    }
    ptr::null_mut()
}

extern "C" fn at_exit() {
    // SAFETY: asks for a number.
    if unsafe { libc::getpid() } == PARENT.load(SeqCst) {
        return;
    }
    let kept: Vec<Vec<u8>> = (0..100).map(|n| vec![1; n * 50]).collect();
    if let Some(heap) = HEAP.get() {
        describe(*heap, Names::LeftOut, Format::Text);
    }
    drop(kept);
    if DESTRUCTORS.load(SeqCst) == 1 {
        // SAFETY: ends the process at once.
        unsafe { libc::_exit(ALL_HAS_RUN) }
    }
}

fn ends_with_all(child: libc::pid_t) {
    let start = Instant::now();
    let mut status = 0;
    loop {
        // SAFETY: our child, not yet waited for; `status` is room for the answer.
        match unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) } {
            0 => std::thread::sleep(Duration::from_micros(100)),
            ended => break assert_eq!(ended, child, "the child cannot be waited for"),
        }
        assert!(start.elapsed().as_secs() < 60, "a child hangs at its end");
    }
    assert_eq!(
        status,
        ALL_HAS_RUN << 8,
        "as an answer of `waitpid`: a child has not run all that belongs to its end"
    );
}

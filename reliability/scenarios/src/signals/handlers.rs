//! Handlers, and what they have counted.

use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use crate::heap::{Heap, every_block_is_a_sample, is_inside_unkai};

static ON_STACK: AtomicU64 = AtomicU64::new(0);
static ON_ALTERNATE: AtomicU64 = AtomicU64::new(0);

/// Those of either kind that interrupted unkai.
static INSIDE: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

/// So many of each kind must do so where every block is a sample: unkai is hardly doing anything else then.
const INSIDE_AT_LEAST: u64 = 50;

/// Counts; and wakes unkai's watcher, which may be done from a handler.
extern "C" fn count(_: libc::c_int) {
    ON_STACK.fetch_add(1, SeqCst);
    INSIDE[0].fetch_add(u64::from(is_inside_unkai()), SeqCst);
    unkai_core::process::wake();
}

extern "C" fn count_on_alternate(_: libc::c_int) {
    ON_ALTERNATE.fetch_add(1, SeqCst);
    INSIDE[1].fetch_add(u64::from(is_inside_unkai()), SeqCst);
    // Some of the stack: what a handler writes there, a walk must not take for the program's.
    std::hint::black_box([u64::MAX; 200]);
}

/// Has a handler run at `signal`, on the thread's own stack or on the alternate one.
pub(crate) fn handle(signal: libc::c_int, on_alternate: bool) {
    // SAFETY: zeros are a valid action, with an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    let handler: extern "C" fn(libc::c_int) = if on_alternate {
        count_on_alternate
    } else {
        count
    };
    action.sa_sigaction = handler as *const () as usize;
    action.sa_flags = libc::SA_RESTART | if on_alternate { libc::SA_ONSTACK } else { 0 };
    // SAFETY: a handler for any number, which is async-signal-safe: it stores to atomics and makes one system call at most.
    let failed = unsafe { libc::sigaction(signal, &action, ptr::null_mut()) };
    assert_eq!(failed, 0, "no handler");
}

/// Signals that were handled, on the threads' own stacks and on alternate ones.
pub(crate) fn handled() -> [u64; 2] {
    [ON_STACK.load(SeqCst), ON_ALTERNATE.load(SeqCst)]
}

/// How many signals are to be waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Enough {
    each: u64,
    inside: u64,
}

impl Enough {
    /// So many of each kind; and some that interrupted unkai, where every block is a sample.
    pub(crate) fn of(heap: &dyn Heap, each: u64) -> Self {
        let inside = if every_block_is_a_sample(heap) {
            INSIDE_AT_LEAST
        } else {
            0
        };
        Self { each, inside }
    }

    pub(crate) fn is_reached(self) -> bool {
        let at_least = |counts: [u64; 2], least| counts.iter().all(|&count| count >= least);
        at_least(handled(), self.each) && at_least(inside(), self.inside)
    }

    /// Panics if there were fewer.
    pub(crate) fn must_be_reached(self) {
        let words = format!("{:?} signals, {:?} within unkai", handled(), inside());
        eprintln!("{words}");
        assert!(self.is_reached(), "{words}: {self:?} were to come");
    }
}

fn inside() -> [u64; 2] {
    INSIDE.each_ref().map(|count| count.load(SeqCst))
}

/// A stack for the handlers of this thread: the one that std has set up is hardly larger than what the processor's registers take.
pub(crate) struct AlternateStack {
    before: libc::stack_t,
    _memory: Vec<u8>,
}

impl AlternateStack {
    pub(crate) fn of_this_thread() -> Self {
        let mut memory = vec![0_u8; 64 << 10];
        let stack = libc::stack_t {
            ss_sp: memory.as_mut_ptr().cast(),
            ss_flags: 0,
            ss_size: memory.len(),
        };
        // SAFETY: zeros are a valid description.
        let mut before: libc::stack_t = unsafe { std::mem::zeroed() };
        // SAFETY: memory that is used for nothing else, and stays until the stack before it is in its place again.
        assert_eq!(unsafe { libc::sigaltstack(&stack, &mut before) }, 0);
        Self {
            before,
            _memory: memory,
        }
    }
}

impl Drop for AlternateStack {
    fn drop(&mut self) {
        // SAFETY: what the thread had before. It does not run on ours now: handlers drop nothing.
        unsafe { libc::sigaltstack(&self.before, ptr::null_mut()) };
    }
}

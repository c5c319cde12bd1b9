//! Stacks made by the C library's `makecontext`, in memory of the profiled heap.

use std::cell::UnsafeCell;
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::thread;

use crate::heap::{Heap, totals_are_exact};

const STACK: usize = 64 << 10;
const ROUNDS: usize = 300;

/// The two sides of a switch.
struct Pair {
    here: UnsafeCell<MaybeUninit<libc::ucontext_t>>,
    there: UnsafeCell<MaybeUninit<libc::ucontext_t>>,
}

thread_local! {
    static PAIR: Pair = const {
        Pair {
            here: UnsafeCell::new(MaybeUninit::uninit()),
            there: UnsafeCell::new(MaybeUninit::uninit()),
        }
    };
}

pub(crate) fn play(heap: &'static dyn Heap) {
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..ROUNDS).for_each(|_| one()));
        }
    });
    totals_are_exact(heap, "after contexts");
    drop(heap.snapshot());
}

/// Makes a stack, goes there and back twice, and frees it.
fn one() {
    let mut memory = vec![0_u8; STACK];
    PAIR.with(|pair| {
        let (here, there) = (pair.here.get().cast(), pair.there.get().cast());
        // SAFETY: room for a context.
        assert_eq!(unsafe { libc::getcontext(there) }, 0);
        // SAFETY: initialised by the call above, and nobody else's.
        let context: &mut libc::ucontext_t = unsafe { &mut *there };
        context.uc_stack.ss_sp = memory.as_mut_ptr().cast();
        context.uc_stack.ss_size = memory.len();
        context.uc_link = here;
        // SAFETY: an initialised context with a stack; the function takes no argument.
        unsafe { libc::makecontext(there, there_and_back, 0) };
        for _ in 0..2 {
            // SAFETY: `there` was made above or left by a switch; `here` is room for where we are.
            assert_eq!(unsafe { libc::swapcontext(here, there) }, 0);
            drop(black_box(vec![0_u8; 300]));
        }
    });
    drop(black_box(memory));
}

extern "C" fn there_and_back() {
    let block = allocate(7);
    PAIR.with(|pair| {
        // SAFETY: `here` was left by the switch that led here, on this thread; `there` is room for where we are.
        let switched =
            unsafe { libc::swapcontext(pair.there.get().cast(), pair.here.get().cast()) };
        assert_eq!(switched, 0);
    });
    assert!(block.iter().flatten().all(|&byte| byte == 7));
    // Back by `uc_link`.
}

#[inline(never)]
fn allocate(value: u8) -> Vec<Vec<u8>> {
    (1..30)
        .map(|size| black_box(vec![value; size * 20]))
        .collect()
}

//! Whatever stands in a module's unwind tables, in the registers and on the stack, a walk ends, reads nothing but the tables
//! and the stack, allocates nothing, and finds the same when it finds its rules in the cache.
//!
//! The tables and the stack are blocks of just their size, so that AddressSanitizer sees a step beyond. With `--cfg unkai_framehop`,
//! the walker is that of other architectures.

#![no_main]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use libfuzzer_sys::fuzz_target;
use unkai_core::MAX_FRAMES;
use unkai_core::internals::{Stack, Tables, registers};
use unkai_fuzz::choices::Choices;

#[global_allocator]
static HEAP: Counting = Counting;

/// Where the module is said to be loaded: the tables are told as offsets from there.
const MODULE: u64 = 0x5555_5500_0000;
const CODE_BYTES: u64 = 1 << 20;

const DW_OP_BRA: u8 = 0x28;
const DW_OP_SKIP: u8 = 0x2f;

fuzz_target!(|input: &[u8]| {
    let mut choices = Choices::of(input);
    let (header_at, frames_at) = (choices.number(3) as u64, choices.number(3) as u64);
    let place = MODULE + choices.below(CODE_BYTES as usize) as u64;
    let lengths = (choices.number(2), choices.number(2));
    let (stack_at, frame_at) = (choices.number(1), choices.number(1));
    let header = Box::<[u8]>::from(choices.take(lengths.0));
    let mut frames = Box::<[u8]>::from(choices.take(lengths.1));
    if cfg!(unkai_framehop) {
        // It evaluates expressions, which may jump back for ever, as the module's own code may. Without jumps they end.
        let is_jump = |byte: &&mut u8| matches!(**byte, DW_OP_BRA | DW_OP_SKIP);
        frames.iter_mut().filter(is_jump).for_each(|byte| *byte = 0);
    }
    // SAFETY: the tables that hold these go before the boxes do.
    let [kept_header, kept_frames] = [&*header, &*frames]
        .map(|bytes| unsafe { std::mem::transmute::<&[u8], &'static [u8]>(bytes) });
    let tables = Tables::new(
        MODULE..MODULE + CODE_BYTES,
        (MODULE + header_at, kept_header),
        (MODULE + frames_at, kept_frames),
    );
    let words = choices.rest().chunks(4);
    let mut memory = vec![0_u64; words.len()].into_boxed_slice();
    let start = memory.as_ptr() as u64;
    for (word, bytes) in memory.iter_mut().zip(words) {
        let low = bytes
            .iter()
            .rev()
            .fold(0, |word, &byte| word << 8 | u64::from(byte));
        // Most words that matter are places in the code or on the stack.
        *word = match low >> 29 {
            1 | 3 => MODULE + low % CODE_BYTES,
            2 => start + low % 4096,
            7 => low | !0 << 31,
            _ => low,
        };
    }
    let registers = registers(
        place,
        start + stack_at as u64 * 8,
        if frame_at == 255 {
            u64::MAX - 7
        } else {
            start + frame_at as u64 * 8
        },
    );
    // A stack pointer beyond the stack is that of a coroutine: what follows there is read by the kernel, and is whatever the
    // heap holds, so that there may be more frames, and others each time.
    let on_it = stack_at < memory.len();
    // And where an expression says the return address, a frame need not take any of the stack.
    let most = if on_it && !cfg!(unkai_framehop) {
        MAX_FRAMES.min(memory.len())
    } else {
        MAX_FRAMES
    };
    let mut stack = Stack::new();
    let mut walk = || {
        let before = ALLOCATIONS.get();
        let taken = stack.take_by_tables_in(&tables, &registers, &memory);
        assert_eq!(ALLOCATIONS.get(), before, "a walk allocates");
        assert!(stack.frames().len() <= most);
        taken.then(|| stack.frames().to_vec())
    };
    let found = walk();
    let again = walk();
    assert!(!on_it || again == found, "the cache says otherwise");
    stack.take_by_chain_in(&registers, &memory);
    assert!(stack.frames().len() <= most);
});

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: hands every call over as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

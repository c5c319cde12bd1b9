//! A stack that overflows ends the process as it does without unkai: with std's message and by SIGABRT. Also if the last
//! straw is a call within unkai.

use std::hint::black_box;
use std::os::unix::process::ExitStatusExt;
use std::thread;

use crate::again;
use crate::heap::Heap;

/// Where the stack ends is moved by so many steps over a frame of [`LARGE`] bytes, and as many over a small one.
const STEPS: usize = 12;

/// More than unkai takes for a sample, so that the end of the stack may come anywhere in it.
const LARGE: usize = 24 << 10;

/// Overflows in many ways, each in a process of its own.
pub(crate) fn play_in_many_ways(_: &'static dyn Heap) {
    for variant in 0..2 * STEPS {
        let ended = again::play("stack_overflow", variant, |command| command);
        assert_eq!(
            ended.status.signal(),
            Some(libc::SIGABRT),
            "variant {variant}: {ended:?}"
        );
        assert!(
            ended.said.contains("has overflowed its stack"),
            "variant {variant}: {ended:?}"
        );
    }
}

/// Ends its process: recurses on a thread, with an allocation in each frame.
pub(crate) fn play(_: &'static dyn Heap) {
    let variant = again::variant();
    let descend = move || match variant.checked_sub(STEPS) {
        None => indented(variant * LARGE / STEPS, &mut || {
            large_frames(0);
        }),
        Some(variant) => indented(variant * 64, &mut || {
            small_frames(0);
        }),
    };
    let thread = thread::Builder::new().stack_size(1 << 20);
    let thread = thread.name("deep".to_owned()).spawn(descend);
    // It does not come back.
    let _ = thread.expect("a thread").join();
}

/// Ends its process: the main thread's stack, which grows as it is used.
pub(crate) fn play_on_the_main_thread(_: &'static dyn Heap) {
    small_frames(0);
}

/// Calls `then` with so many bytes less of stack, or a few more.
fn indented(bytes: usize, then: &mut dyn FnMut()) {
    let room = [0_u8; 64];
    black_box(&room);
    match bytes.checked_sub(FRAME) {
        Some(less) => indented(less, then),
        None => then(),
    }
    black_box(&room);
}

/// About what a frame of `indented` takes.
const FRAME: usize = 128;

#[expect(
    unconditional_recursion,
    reason = "the end of the stack is what is looked for"
)]
fn small_frames(depth: usize) -> usize {
    let block = black_box(vec![depth as u8; 24]);
    black_box(small_frames(depth + 1)) + block.len()
}

#[expect(
    unconditional_recursion,
    reason = "the end of the stack is what is looked for"
)]
fn large_frames(depth: usize) -> usize {
    let block = black_box(vec![depth as u8; 24]);
    let room = black_box([depth as u8; LARGE]);
    black_box(large_frames(depth + 1)) + block.len() + room.len()
}

//! Panics unwind through thousands of frames, each of which owns blocks and allocates while it is unwound.

use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use crate::heap::{Heap, totals_are_exact};

/// A frame takes some hundred bytes without optimisation.
const STACK: usize = 64 << 20;
const FRAMES: usize = 10_000;
const ROUNDS: usize = 5;

pub(crate) fn play(heap: &'static dyn Heap) {
    super::hook::be_silent();
    for _ in 0..ROUNDS {
        let thread = thread::Builder::new().stack_size(STACK).spawn(|| {
            let caught = catch_unwind(|| deeper(FRAMES, None));
            assert_eq!(frames_of(caught), FRAMES);
            // The whole of the stack once more, with a stop half-way.
            let caught = catch_unwind(|| deeper(FRAMES, Some(FRAMES / 2)));
            assert_eq!(frames_of(caught), FRAMES);
        });
        thread.expect("no thread").join().expect("nothing else");
    }
    totals_are_exact(heap, "after deep panics");
}

fn frames_of(caught: thread::Result<usize>) -> usize {
    let payload = caught.expect_err("no panic");
    *payload.downcast::<usize>().expect("the panic's number")
}

/// Owns a block, and allocates while it is dropped.
struct Frame(Vec<u8>);

impl Drop for Frame {
    fn drop(&mut self) {
        let words = black_box(format!("unwinding with {} bytes", self.0.len()));
        self.0.extend_from_slice(words.as_bytes());
    }
}

/// Panics `depth` frames further down; caught and sent on at the frame `stop`.
fn deeper(depth: usize, stop: Option<usize>) -> usize {
    let frame = Frame(vec![1; depth % 500]);
    if depth == 0 {
        std::panic::panic_any(FRAMES);
    }
    let returned = if stop == Some(depth) {
        match catch_unwind(AssertUnwindSafe(|| deeper(depth - 1, stop))) {
            Ok(returned) => returned,
            Err(payload) => std::panic::resume_unwind(payload),
        }
    } else {
        deeper(depth - 1, stop)
    };
    drop(black_box(frame));
    returned
}

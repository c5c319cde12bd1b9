//! A recursion of 100,000 calls, with a sample at each depth: stacks are cut, and a deep one costs no more than another.

use std::hint::black_box;
use std::thread;

use crate::heap::{Heap, totals_are_exact};

const DEPTH: usize = 100_000;

/// The time of so many calls is looked at together.
const STRETCH: usize = 500;

/// A sample may take so many times what it takes near the outermost call. One that walked the whole stack would take a
/// thousand times as long.
const AT_MOST: u64 = 10;

/// More than 100,000 frames take in a build without optimisation.
const STACK: usize = 512 << 20;

pub(crate) fn play(heap: &'static dyn Heap) {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK);
        let deep = thread.spawn_scoped(scope, || {
            descend(heap, u64::MAX);
            // Each call one of two, by a seed: hardly two stacks are alike.
            descend(heap, 0x9e37_79b9_7f4a_7c15);
        });
        deep.expect("a thread").join().expect("it comes back");
    });
    totals_are_exact(heap, "after a deep recursion");
    drop(heap.snapshot());
}

struct Descent {
    /// Decides which of two functions is called next; all bits set for always the same.
    random: u64,
    left: usize,
    /// Nanoseconds of this thread, each time that a stretch begins.
    times: Vec<u64>,
    heap: &'static dyn Heap,
}

fn descend(heap: &'static dyn Heap, random: u64) {
    let mut descent = Descent {
        random,
        left: DEPTH,
        times: Vec::with_capacity(DEPTH / STRETCH + 1),
        heap,
    };
    let live = heap.usage().live_bytes();
    assert_eq!(one(&mut descent), DEPTH);
    assert_eq!(heap.usage().live_bytes(), live);
    let stretches: Vec<u64> = descent
        .times
        .windows(2)
        .map(|ends| ends[1] - ends[0])
        .collect();
    // The quickest of a tenth: whatever else the machine does, one was not disturbed.
    let tenth = stretches.len() / 10;
    let quickest = |stretches: &[u64]| stretches.iter().min().copied().expect("a tenth");
    let (outer, inner) = (
        quickest(&stretches[tenth..2 * tenth]),
        quickest(&stretches[9 * tenth..]),
    );
    assert!(
        inner <= outer * AT_MOST,
        "{STRETCH} calls take {outer} ns far out and {inner} ns far in"
    );
}

#[inline(never)]
fn one(descent: &mut Descent) -> usize {
    let block = black_box(vec![1_u8; 40]);
    let deeper = next(descent);
    deeper + usize::from(block[39])
}

#[inline(never)]
fn other(descent: &mut Descent) -> usize {
    let block = black_box(vec![1_u8; 50]);
    let deeper = next(descent);
    deeper + usize::from(black_box(block)[49])
}

#[inline(always)]
fn next(descent: &mut Descent) -> usize {
    if descent.left.is_multiple_of(STRETCH) {
        descent.times.push(thread_time());
    }
    descent.left -= 1;
    if descent.left == 0 {
        // All blocks are there.
        let usage = descent.heap.usage();
        assert!(usage.live_blocks() >= DEPTH as i64);
        return 0;
    }
    if descent.random != u64::MAX {
        descent.random ^= descent.random << 13;
        descent.random ^= descent.random >> 7;
        descent.random ^= descent.random << 17;
        if descent.random & 1 == 0 {
            return other(descent);
        }
    }
    one(descent)
}

fn thread_time() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: room for the answer.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(failed, 0);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

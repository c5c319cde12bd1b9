//! Pairs of allocation and free of which as many are sampled as a bench wants.

use std::hint::black_box;
use std::time::Duration;

use crate::workloads::heaps::{PAIRS, TRACKED};
use crate::workloads::{at_once, hot_pair};

/// What [`sampled_pair`] found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SampledPairs {
    pub(crate) time: Duration,
    /// The length of the stacks that were taken.
    pub(crate) frames: usize,
}

/// Pairs of 64 B over mimalloc at this sampling interval (0 for none, 1 for every block), called from so many frames
/// further inside.
pub(crate) fn sampled_pair(interval: u64, depth: u32, pairs: u64) -> SampledPairs {
    set_interval(interval);
    let heap = &PAIRS[0].tracked;
    let before = TRACKED.snapshot();
    let time = deeper(depth, &mut || hot_pair(heap, pairs));
    let stacks = TRACKED.snapshot().since(&before).sites.into_iter();
    let frames = stacks.max_by_key(|site| site.allocated.samples);
    SampledPairs {
        time,
        frames: frames.map_or(0, |site| site.stack.len()),
    }
}

/// The time of such pairs, every one of them sampled, on so many threads at once: all with stacks of the same frames.
pub(crate) fn sampled_on_threads(threads: usize, depth: u32, pairs: u64) -> Duration {
    set_interval(1);
    let heap = &PAIRS[0].tracked;
    let pairs = || deeper(depth, &mut || hot_pair(heap, pairs));
    let warm_up = || {
        pairs();
    };
    at_once(threads, warm_up, pairs)
}

/// Changes the sampling interval, and allocates until this thread has noticed.
pub(crate) fn set_interval(bytes: u64) {
    TRACKED.set_sampling_interval(bytes);
    hot_pair(&PAIRS[0].tracked, 2_000);
}

/// Calls `work` from so many frames further inside.
#[inline(never)]
pub(crate) fn deeper<R>(frames: u32, work: &mut dyn FnMut() -> R) -> R {
    match frames {
        0 => work(),
        // What is done with the result keeps the frame.
        _ => black_box(deeper(frames - 1, work)),
    }
}

//! A vector that nobody knew the length of: its block is reallocated whenever it is full.

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Instant;

use super::Run;

/// Grows vectors of so many elements, of which so many are kept before they go, so that blocks are not always at the same
/// addresses: some are luckier than others.
pub(super) fn prepare(elements: u64, kept: usize) -> Run {
    let mut vectors: VecDeque<Vec<u64>> = VecDeque::with_capacity(kept + 1);
    Box::new(move |times| {
        let start = Instant::now();
        for _ in 0..times {
            let mut numbers = Vec::new();
            for number in 0..elements {
                numbers.push(number);
            }
            vectors.push_back(black_box(numbers));
            if vectors.len() > kept {
                vectors.pop_front();
            }
        }
        start.elapsed()
    })
}

//! What reads bytes from outside, and each way of taking stacks, by itself: for `reliability/fuzz` and `benches/unwinders.rs`.
//! Compiled with `--cfg unkai_internals` only: it is no part of what the crate offers.

pub use crate::probe::unwind::internals::*;

/// Pages of the process that are in physical memory, of a `statm` that may be anything.
#[cfg(target_os = "linux")]
pub fn resident_pages(statm: &[u8]) -> Option<u64> {
    crate::resident::second_number(statm)
}

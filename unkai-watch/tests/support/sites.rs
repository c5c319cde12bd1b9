//! As many call stacks as one likes.

use std::hint::black_box;

/// Leaves a block of `bytes` behind in `kept`, from a call stack `depth` frames deep of which the bits of `path` choose the
/// innermost.
pub(crate) fn allocate_at(path: u32, depth: u32, bytes: usize, kept: &mut Vec<Box<[u8]>>) {
    if depth == 0 {
        kept.push(black_box(vec![0; bytes]).into_boxed_slice());
    } else if path >> (depth - 1).min(31) & 1 == 1 {
        one(path, depth - 1, bytes, kept);
    } else {
        zero(path, depth - 1, bytes, kept);
    }
    // No call in the last place: each has a frame of its own.
    black_box(&kept);
}

#[inline(never)]
fn one(path: u32, depth: u32, bytes: usize, kept: &mut Vec<Box<[u8]>>) {
    allocate_at(path, depth, bytes, kept);
    // Functions that are the same may be made one.
    black_box(1);
}

#[inline(never)]
fn zero(path: u32, depth: u32, bytes: usize, kept: &mut Vec<Box<[u8]>>) {
    allocate_at(path, depth, bytes, kept);
    black_box(0);
}

//! The mark: where a sampled block is put so that its free is recognised by its address alone.
//!
//! A sampled block of less than [`LARGE`] bytes is requested with an alignment of [`MODULUS`] and stands `OFFSET` bytes
//! behind it. The test of a free is then "is the low byte of (address + alignment − 1) at least [`FLOOR`]?":
//!
//! ```text
//!  ◀──────────────── requested from the inner allocator ───────────────▶
//!  ┌─────────────────────────────┬──────────────────────────────┬──────┐
//!  │ 256 − max(alignment, 8)     │ the program's block          │ fill │
//!  └─────────────────────────────┴──────────────────────────────┴──────┘
//!  ▲ multiple of 256             ▲ low byte f8 for alignments up to 8, f0 for 16, e0 for 32, c0 for 64, 80 for 128
//! ```
//!
//! Hardly any ordinary block passes the test: allocators hand out multiples of 16, but for requests of 8 bytes and less,
//! and a multiple of 16 passes only if it was requested with an alignment of 16 and more and then once in sixteen.
//! Blocks aligned to 256 or more pass the test wherever they are, and large blocks always reach the slow path by their
//! size: neither is marked, and both are looked up.
//!
//! The fill rounds the request up to a multiple of 256, for which allocators have naturally aligned size classes.

use std::alloc::Layout;

use crate::store::peak::QUANTUM;

/// Blocks of this size and more are not marked: they exceed what a countdown may hold, so they are always looked up.
pub(crate) const LARGE: usize = QUANTUM as usize;

/// Low bytes from here on may be marks.
pub(crate) const FLOOR: u8 = 0xf8;

const MODULUS: usize = 256;

/// Half the alignment of ordinary blocks, so that those do not pass the test.
const LEAST_ALIGN: usize = 8;

/// Where a marked block stands within what is requested for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    /// What to request from the inner allocator.
    pub(crate) layout: Layout,
    /// Bytes in front of the program's block.
    pub(crate) offset: usize,
}

/// Whether a block of this size is large: too large for any countdown.
pub(crate) fn is_large(size: usize) -> bool {
    size >= LARGE
}

/// Whether a free of such a block is looked up in any case, so that a mark would be of no use.
pub(crate) fn is_always_looked_up(layout: Layout) -> bool {
    is_large(layout.size()) || layout.align() >= MODULUS
}

/// The placement of a marked block of `layout`. `None` if the enlarged request would be no valid layout.
pub(crate) fn placement(layout: Layout) -> Option<Placement> {
    let offset = MODULUS - layout.align().clamp(LEAST_ALIGN, MODULUS);
    let size = offset
        .checked_add(layout.size())?
        .checked_next_multiple_of(MODULUS)?;
    let layout = Layout::from_size_align(size, MODULUS.max(layout.align())).ok()?;
    Some(Placement { layout, offset })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::cells::Cells;
    use crate::sync::Ordering;

    #[test]
    fn a_marked_block_fits_is_aligned_and_passes_the_test() {
        let cells = Cells::default();
        cells.set_mark_floor(FLOOR, Ordering::Relaxed);
        for align in (0..8).map(|shift| 1usize << shift) {
            for size in [1, 2, 15, 16, 17, 100, 255, 256, 257, 4096, LARGE - 1] {
                let wanted = Layout::from_size_align(size, align).unwrap();
                let placed = placement(wanted).unwrap();
                assert!(placed.offset + size <= placed.layout.size());
                assert_eq!(placed.layout.size() % placed.layout.align(), 0);
                for base in [0x1000, 0x7fff_ff00] {
                    assert_eq!(base % placed.layout.align(), 0);
                    let address = base + placed.offset;
                    assert_eq!(address % align.max(8), 0);
                    assert!(cells.may_be_marked(address, align), "{align} {address:x}");
                }
            }
        }
    }

    #[test]
    fn blocks_aligned_to_the_modulus_always_pass_the_test() {
        let cells = Cells::default();
        cells.set_mark_floor(FLOOR, Ordering::Relaxed);
        for align in (8..17).map(|shift| 1usize << shift) {
            assert!(is_always_looked_up(
                Layout::from_size_align(8, align).unwrap()
            ));
            assert!(cells.may_be_marked(align * 3, align));
        }
    }

    #[test]
    fn most_ordinary_blocks_do_not_pass_the_test() {
        let cells = Cells::default();
        cells.set_mark_floor(FLOOR, Ordering::Relaxed);
        let share = |size: usize, align: usize| {
            let passes = |n: &usize| cells.may_be_marked(0x10000 + n * size, align);
            (0..4096).filter(passes).count() as f64 / 4096.0
        };
        for size in [16, 32, 48, 64, 80, 96, 1024] {
            assert_eq!((share(size, 1), share(size, 8)), (0.0, 0.0), "{size}");
        }
        assert!(share(8, 8) <= 1.0 / 32.0);
        assert!(share(48, 16) <= 1.0 / 16.0);
    }
}

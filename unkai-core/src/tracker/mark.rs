//! The mark: where a sampled block is put so that its free is recognised by its address alone.
//!
//! A sampled block of less than [`LARGE`] bytes is requested with room for 256 bytes more, and stands in it where the low byte
//! of (address + alignment − 1) is at least [`FLOOR`]. That is the test of a free:
//!
//! ```text
//!  ◀──────────────── requested from the inner allocator ────────────────▶
//!  ┌────────────┬───────────────────────────────┬───────────────────────┐
//!  │ 0 to 255   │ the program's block           │ what is left of 256   │
//!  └────────────┴───────────────────────────────┴───────────────────────┘
//!  ▲ anywhere   ▲ low byte f8 for alignments up to 8, f0 for 16, e0 for 32, c0 for 64, 80 for 128
//! ```
//!
//! Hardly any ordinary block passes the test: allocators hand out multiples of 16, but for requests of 8 bytes and less,
//! and a multiple of 16 passes only if it was requested with an alignment of 16 and more and then once in sixteen.
//! Blocks aligned to 256 or more pass the test wherever they are, and large blocks always reach the slow path by their
//! size: neither is marked, and both are looked up.
//!
//! No larger alignment is requested: that takes some allocators a slow path, and splits the heap of others where blocks
//! would have grown in place.

use std::alloc::Layout;

use crate::store::peak::QUANTUM;

/// Blocks of this size and more are not marked: they exceed what a countdown may hold, so they are always looked up.
pub(crate) const LARGE: usize = QUANTUM as usize;

/// Low bytes from here on may be marks.
pub(crate) const FLOOR: u8 = 0xf8;

const MODULUS: usize = 256;

/// Half the alignment of ordinary blocks, so that those do not pass the test.
const LEAST_ALIGN: usize = 8;

/// Whether a block of this size is large: too large for any countdown.
pub(crate) fn is_large(size: usize) -> bool {
    size >= LARGE
}

/// Whether a free of such a block is looked up in any case, so that a mark would be of no use.
pub(crate) fn is_always_looked_up(layout: Layout) -> bool {
    is_large(layout.size()) || layout.align() >= MODULUS
}

/// What to request from the inner allocator for a marked block of `layout`. `None` if that would be no valid layout.
pub(crate) fn enlarged(layout: Layout) -> Option<Layout> {
    let size = layout.size().checked_add(MODULUS)?;
    Layout::from_size_align(size, layout.align()).ok()
}

/// How many bytes behind `base`, where the enlarged request is, the marked block with this alignment stands.
pub(crate) fn offset(base: usize, align: usize) -> u8 {
    let mark = MODULUS - align.clamp(LEAST_ALIGN, MODULUS);
    (mark.wrapping_sub(base) % MODULUS) as u8
}

#[cfg(all(test, not(loom)))]
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
                let enlarged = enlarged(wanted).unwrap();
                assert_eq!(enlarged.align(), align);
                for base in (0x7fff_f000..0x7fff_f200).step_by(align) {
                    let offset = usize::from(offset(base, align));
                    assert!(offset + size <= enlarged.size());
                    let address = base + offset;
                    assert_eq!(address % align.max(8), 0);
                    assert!(cells.may_be_marked(address, align), "{align} {address:x}");
                }
            }
        }
        let huge = Layout::from_size_align(isize::MAX as usize - 7, 8).unwrap();
        assert_eq!(enlarged(huge), None);
    }

    /// Whatever size, alignment and address: the block fits, is aligned, is recognised, and goes back to where it came from.
    #[test]
    fn random_marks_hold() {
        let mut random = crate::probe::sampler::Random::new(crate::seed::seed(0x3a2c));
        let cells = Cells::default();
        cells.set_mark_floor(FLOOR, Ordering::Relaxed);
        for _ in 0..300_000 {
            let align = 1usize << (random.next() % 8);
            let size = 1 + random.next() as usize % (LARGE - 1);
            let wanted = Layout::from_size_align(size, align).unwrap();
            assert!(!is_always_looked_up(wanted));
            let enlarged = enlarged(wanted).unwrap();
            let base = (random.next() as usize >> 17).next_multiple_of(align);
            let offset = offset(base, align);
            let address = base + usize::from(offset);
            assert!(usize::from(offset) + size <= enlarged.size());
            assert!(address.is_multiple_of(align.max(LEAST_ALIGN)));
            assert!(
                cells.may_be_marked(address, align),
                "{wanted:?} at {address:x}"
            );
            assert_eq!(address.wrapping_sub(usize::from(offset)), base);
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

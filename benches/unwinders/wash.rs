//! Washing the caches: after it, whatever a measurement touches comes from memory.

use std::fs;
use std::hint::black_box;
use std::time::Instant;

/// A buffer larger than all caches together.
pub(crate) struct Wash {
    lines: Vec<Line>,
    /// As many of them as fill the caches but for the last one, four times over.
    own: usize,
}

/// One line of a cache; where the next one is, in a walk that visits all of them in no order.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line(u32);

impl Wash {
    pub(crate) fn new() -> Self {
        let caches = caches();
        let bytes = (2 * caches.iter().sum::<usize>()).max(LEAST);
        let own = caches
            .split_last()
            .map_or(0, |(_, own)| 4 * own.iter().sum::<usize>());
        let count = bytes / size_of::<Line>();
        let mut lines = Vec::with_capacity(count);
        let memory = lines.spare_capacity_mut();
        #[cfg(target_os = "linux")]
        // Small pages, so that the processor's cache of addresses is washed too. It does not matter if this is refused.
        // SAFETY: the range is this vector's own memory; the advice changes how it is backed, not what is in it.
        unsafe {
            let page = 4096;
            let start = memory.as_mut_ptr().cast::<u8>();
            let start = start.wrapping_add(start.align_offset(page));
            libc::madvise(start.cast(), bytes - page, libc::MADV_NOHUGEPAGE);
        }
        // A step that shares no factor with the number of lines visits each of them once; it is far longer than what a
        // processor guesses ahead.
        let step = (count / 8 * 5 + 7) | 1;
        lines.extend((0..count).map(|at| Line(((at + step) % count) as u32)));
        Self {
            own: (own / size_of::<Line>()).min(count),
            lines,
        }
    }

    pub(crate) fn mebibytes(&self) -> usize {
        size_of_val(&self.lines[..]) >> 20
    }

    /// Reads the whole buffer: nothing that was used before is in any cache.
    pub(crate) fn wash(&self) {
        self.read(self.lines.len());
    }

    /// Reads enough to leave what was used before in the last cache only, which other processors share.
    pub(crate) fn wash_own_caches(&self) {
        self.read(self.own);
    }

    #[inline(never)]
    fn read(&self, lines: usize) {
        let sum = self.lines[..lines]
            .iter()
            .fold(0u32, |sum, line| sum.wrapping_add(line.0));
        black_box(sum);
    }

    pub(crate) fn own_mebibytes(&self) -> usize {
        (self.own * size_of::<Line>()) >> 20
    }

    /// Nanoseconds of a load that must wait for the one before and finds nothing in any cache.
    pub(crate) fn load_from_memory(&self) -> f64 {
        const LOADS: u32 = 100_000;
        let mut at = 0;
        let start = Instant::now();
        for _ in 0..LOADS {
            at = self.lines[at as usize].0;
        }
        black_box(at);
        start.elapsed().as_nanos() as f64 / f64::from(LOADS)
    }
}

/// Bytes of the caches that the first processor uses, the farthest last, as the system states them.
fn caches() -> Vec<usize> {
    let sizes = (0..8).filter_map(|index| {
        let file = format!("/sys/devices/system/cpu/cpu0/cache/index{index}/size");
        let text = fs::read_to_string(file).ok()?;
        let kibibytes: usize = text.trim().strip_suffix('K')?.parse().ok()?;
        Some(kibibytes << 10)
    });
    sizes.collect()
}

const LEAST: usize = 64 << 20;

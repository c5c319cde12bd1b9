//! Which of a site's numbers a format shows that shows one.

#[cfg(any(feature = "json", feature = "flamegraph"))]
mod total;

use unkai_core::{Estimate, Site, Totals};

/// One of the numbers of a site, for formats that show one at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Value {
    /// Estimated bytes that are live.
    #[default]
    LiveBytes,
    /// Estimated blocks that are live.
    LiveBlocks,
    /// Estimated bytes allocated so far.
    AllocatedBytes,
    /// Estimated blocks allocated so far.
    AllocatedBlocks,
    /// Estimated bytes that were live when the whole program's live bytes were at their peak.
    PeakBytes,
    /// Estimated blocks that were live at that moment.
    PeakBlocks,
}

impl Value {
    /// All values.
    pub const ALL: [Value; 6] = [
        Value::LiveBytes,
        Value::LiveBlocks,
        Value::AllocatedBytes,
        Value::AllocatedBlocks,
        Value::PeakBytes,
        Value::PeakBlocks,
    ];

    /// This value of `site`: an estimate, negative only where it shrank in a difference of two snapshots.
    pub fn of(self, site: &Site) -> f64 {
        self.number(self.among(&site.live, &site.allocated, &site.at_peak))
    }

    /// Whether it counts bytes; else it counts blocks.
    pub const fn is_bytes(self) -> bool {
        matches!(
            self,
            Self::LiveBytes | Self::AllocatedBytes | Self::PeakBytes
        )
    }

    /// The value in words: `live bytes`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LiveBytes => "live bytes",
            Self::LiveBlocks => "live blocks",
            Self::AllocatedBytes => "allocated bytes",
            Self::AllocatedBlocks => "allocated blocks",
            Self::PeakBytes => "bytes at the peak",
            Self::PeakBlocks => "blocks at the peak",
        }
    }

    /// The one of three that the value is a number of.
    pub(crate) fn among<T>(self, live: T, allocated: T, at_peak: T) -> T {
        match self {
            Self::LiveBytes | Self::LiveBlocks => live,
            Self::AllocatedBytes | Self::AllocatedBlocks => allocated,
            Self::PeakBytes | Self::PeakBlocks => at_peak,
        }
    }

    /// This value of `estimate`, which has it in bytes and in blocks.
    pub(crate) fn number(self, estimate: &Estimate) -> f64 {
        if self.is_bytes() {
            estimate.bytes
        } else {
            estimate.blocks
        }
    }

    /// Half the width of the 95 % interval of [`number`](Self::number).
    pub(crate) fn error_95(self, estimate: &Estimate) -> f64 {
        if self.is_bytes() {
            estimate.bytes_error_95()
        } else {
            estimate.blocks_error_95()
        }
    }

    /// Whether a difference of two snapshots has it as a signed change.
    pub(crate) fn is_level(self) -> bool {
        self.among(true, false, false)
    }

    /// The exact value that all sites together should meet; `None` for blocks at the peak, which were not counted.
    pub(crate) fn exact_total(self, totals: &Totals) -> Option<f64> {
        let exact = match self {
            Self::LiveBytes => totals.live_bytes() as f64,
            Self::LiveBlocks => totals.live_blocks() as f64,
            Self::AllocatedBytes => totals.allocated.bytes as f64,
            Self::AllocatedBlocks => totals.allocated.blocks as f64,
            Self::PeakBytes => totals.peak_live_bytes as f64,
            Self::PeakBlocks => return None,
        };
        Some(exact)
    }
}

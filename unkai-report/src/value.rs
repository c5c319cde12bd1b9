//! Which of a site's numbers a format shows that shows one.

#[cfg(any(feature = "json", feature = "flamegraph"))]
mod total;

use unkai_core::Site;

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
        match self {
            Self::LiveBytes => site.live.bytes,
            Self::LiveBlocks => site.live.blocks,
            Self::AllocatedBytes => site.allocated.bytes,
            Self::AllocatedBlocks => site.allocated.blocks,
            Self::PeakBytes => site.at_peak.bytes,
            Self::PeakBlocks => site.at_peak.blocks,
        }
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
}

//! Which of a site's numbers a format shows that shows one.

use unkai_core::{Estimate, Site, Snapshot};

use crate::sites::add;
use crate::units;

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

    /// The estimate of all sites together: that of this value is only one of its numbers.
    pub(crate) fn sum(self, snapshot: &Snapshot) -> Estimate {
        let mut sum = Estimate::default();
        for site in &snapshot.sites {
            let estimate = match self {
                Self::LiveBytes | Self::LiveBlocks => &site.live,
                Self::AllocatedBytes | Self::AllocatedBlocks => &site.allocated,
                Self::PeakBytes | Self::PeakBlocks => &site.at_peak,
            };
            add(&mut sum, estimate);
        }
        sum
    }

    /// What sites together should meet, where it is known exactly.
    pub(crate) fn exact_total(self, snapshot: &Snapshot) -> Option<f64> {
        let totals = &snapshot.totals;
        match self {
            Self::LiveBytes => Some(totals.live_bytes() as f64),
            Self::LiveBlocks => Some(totals.live_blocks() as f64),
            Self::AllocatedBytes => Some(totals.allocated.bytes as f64),
            Self::AllocatedBlocks => Some(totals.allocated.blocks as f64),
            Self::PeakBytes => Some(totals.peak_live_bytes as f64),
            Self::PeakBlocks => None,
        }
    }

    /// This value of `sum`.
    pub(crate) fn number(self, sum: &Estimate) -> f64 {
        if self.is_bytes() {
            sum.bytes
        } else {
            sum.blocks
        }
    }

    /// `number` of this value in people's units.
    pub(crate) fn words(self, number: f64) -> String {
        if self.is_bytes() {
            units::bytes(number)
        } else {
            units::count(number)
        }
    }

    /// What `sum` says about this value, with its 95 % confidence interval: `12.3 MiB ± 1.20 MiB`.
    pub(crate) fn words_of_sum(self, sum: &Estimate) -> String {
        let error = if self.is_bytes() {
            sum.bytes_error_95()
        } else {
            sum.blocks_error_95()
        };
        let number = self.words(self.number(sum));
        if error == 0.0 {
            number
        } else {
            format!("{number} ± {}", self.words(error))
        }
    }

    /// Whether a difference of two snapshots has it as a signed change.
    pub(crate) const fn is_level(self) -> bool {
        matches!(self, Self::LiveBytes | Self::LiveBlocks)
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

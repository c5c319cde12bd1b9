//! A value of all sites together, and its words.

use unkai_core::{Estimate, Snapshot};

use super::Value;
use crate::sites::add;
use crate::units;

impl Value {
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
}

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
            let estimate = self.among(&site.live, &site.allocated, &site.at_peak);
            add(&mut sum, estimate);
        }
        sum
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
        let error = self.error_95(sum);
        let number = self.words(self.number(sum));
        if error == 0.0 {
            number
        } else {
            format!("{number} ± {}", self.words(error))
        }
    }
}

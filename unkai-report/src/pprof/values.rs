//! The values of a row: which there are, and how estimates become integers.

use unkai_core::Snapshot;

use crate::value::Value;

/// The values of a profile of `snapshot`, in their order there: a difference has no peak of its own.
pub(super) fn of(snapshot: &Snapshot) -> &'static [Value] {
    match snapshot.window {
        Some(_) => &VALUES[..4],
        None => &VALUES,
    }
}

/// The sample type that holds `value`.
pub(super) fn name(value: Value) -> &'static str {
    match value {
        Value::AllocatedBlocks => "alloc_objects",
        Value::AllocatedBytes => "alloc_space",
        Value::LiveBlocks => "inuse_objects",
        Value::LiveBytes => "inuse_space",
        Value::PeakBlocks => "peak_objects",
        Value::PeakBytes => "peak_space",
    }
}

pub(super) fn unit(value: Value) -> &'static str {
    if value.is_bytes() { "bytes" } else { "count" }
}

/// The order of Go's heap profiles, then what is unkai's own.
pub(super) const VALUES: [Value; 6] = [
    Value::AllocatedBlocks,
    Value::AllocatedBytes,
    Value::LiveBlocks,
    Value::LiveBytes,
    Value::PeakBlocks,
    Value::PeakBytes,
];

/// Rounds the rows of a profile one after the other, and carries what rounding took or gave to the next row.
///
/// So the sum of rounded values is the rounded sum, and no value is off by 1 or more. Integers stay what they are.
#[derive(Debug, Default)]
pub(super) struct Rounding {
    /// What was taken from the rows so far, less what was given: at least −1/2 and less than 1/2.
    carry: [f64; VALUES.len()],
}

impl Rounding {
    /// The integers for `estimates`, as many as there are `values`.
    pub(super) fn of_row(&mut self, values: &[Value], estimates: &[f64; VALUES.len()]) -> Vec<i64> {
        let each = self.carry.iter_mut().zip(estimates).take(values.len());
        each.map(|(carry, &estimate)| round(estimate, carry))
            .collect()
    }
}

fn round(estimate: f64, carry: &mut f64) -> i64 {
    if !estimate.is_finite() {
        return 0;
    }
    let wanted = estimate + *carry;
    let rounded = (wanted + 0.5).floor();
    *carry = wanted - rounded;
    rounded as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounded(estimates: &[f64]) -> Vec<i64> {
        let mut rounding = Rounding::default();
        let row = |&estimate: &f64| rounding.of_row(&VALUES[..1], &[estimate; 6])[0];
        estimates.iter().map(row).collect()
    }

    #[test]
    fn a_thousand_small_values_do_not_vanish() {
        let all = rounded(&[0.3; 1000]);
        assert_eq!(all.iter().sum::<i64>(), 300);
        assert!(all.iter().all(|value| (0..=1).contains(value)));
    }

    #[test]
    fn integers_stay_what_they_are_beside_others() {
        assert_eq!(
            rounded(&[0.4, 7.0, 0.0, -3.0, 0.4, 0.0]),
            [0, 7, 0, -3, 1, 0]
        );
        assert_eq!(rounded(&[-0.5, 1.0, 0.5, 1.0]), [0, 1, 0, 1]);
    }

    #[test]
    fn what_is_no_number_is_nothing_and_spoils_nothing() {
        let all = rounded(&[0.6, f64::NAN, f64::INFINITY, 1e300, -1e300, 0.6, 0.8]);
        assert_eq!(all, [1, 0, 0, i64::MAX, i64::MIN, 1, 0]);
    }
}

//! What many rounds say together: the median of each round's figure, and how far rounds lie apart.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::record::{KINDS, MOMENTS, OPERATIONS, Record, SIZES, kind};
use crate::trend::median;

/// The figures that are taken of each round's histogram.
const QUANTILES: [f64; 4] = [0.5, 0.99, 0.999, 1.0];
/// And the mean of the middle half, which tells what lies between two ticks of the clock.
const FIGURES: usize = QUANTILES.len() + 1;

/// A round in which there were fewer of a kind, because the machine had no time for them, says nothing of that kind.
const LEAST_OPERATIONS: u64 = 2000;

/// What was measured over one allocator, round by round.
pub(crate) struct Rounds {
    /// The round that is under way.
    pub(crate) record: Record,
    /// All rounds.
    all: Record,
    /// For each kind, each round's quantiles in ticks, and the mean of the middle half. Reserved ahead.
    figures: Vec<[Vec<f64>; FIGURES]>,
}

/// One line of the table: one kind of operation over one allocator. Times in nanoseconds, the clock's own included.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) moment: String,
    pub(crate) size: String,
    pub(crate) operation: String,
    /// Operations that were measured.
    pub(crate) operations: u64,
    /// Rounds in which there were enough of them.
    pub(crate) rounds: u64,
    /// Median over the rounds of the mean of each round's middle half: finer than the clock's ticks.
    pub(crate) typical: Spread,
    /// Median over the rounds.
    pub(crate) p50: Spread,
    /// Median over the rounds.
    pub(crate) p99: Spread,
    /// Median over the rounds.
    pub(crate) p99_9: Spread,
    /// Median over the rounds of each round's longest.
    pub(crate) longest: Spread,
    /// Of all rounds together.
    pub(crate) p99_99_of_all: f64,
    /// Of all rounds together.
    pub(crate) longest_of_all: f64,
    /// The longest of all rounds during which the thread stayed on its core; 0 if none was longer than some µs.
    pub(crate) longest_on_core: f64,
    /// The longest in which it waited, for a lock or in the kernel, and was not preempted.
    pub(crate) longest_waited: f64,
}

/// A median, and the middle half of what it is the median of; 0 where nothing was measured.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) lower_quartile: f64,
    pub(crate) upper_quartile: f64,
}

impl Rounds {
    /// Room for so many rounds.
    pub(crate) fn new(rounds: usize) -> Self {
        let figures = || std::array::from_fn(|_| Vec::with_capacity(rounds));
        Self {
            record: Record::new(),
            all: Record::new(),
            figures: (0..KINDS).map(|_| figures()).collect(),
        }
    }

    /// The round is over.
    pub(crate) fn end_round(&mut self) {
        for (number, figures) in self.figures.iter_mut().enumerate() {
            let histogram = self.record.get(number);
            if histogram.len() < LEAST_OPERATIONS {
                continue;
            }
            let quantiles = QUANTILES.map(|quantile| at(histogram, quantile));
            let round = quantiles.into_iter().chain([middle_mean(histogram)]);
            for (figures, figure) in figures.iter_mut().zip(round) {
                figures.push(figure);
            }
        }
        self.all.merge(&self.record);
        self.record.reset();
    }

    /// The round is over, and counts for nothing: it was for warming up.
    pub(crate) fn forget_round(&mut self) {
        self.record.reset();
    }

    /// All lines, in nanoseconds.
    pub(crate) fn rows(&self, nanoseconds: f64) -> Vec<Row> {
        let mut rows = Vec::new();
        for (moment, moment_name) in MOMENTS.iter().enumerate() {
            for (size, (size_name, _)) in SIZES.iter().enumerate() {
                for (operation, operation_name) in OPERATIONS.iter().enumerate() {
                    let number = kind(moment, size, operation);
                    let all = self.all.get(number);
                    let [p50, p99, p99_9, longest, typical] = &self.figures[number];
                    let spread = |figures: &Vec<f64>| Spread::of(figures, nanoseconds);
                    rows.push(Row {
                        moment: (*moment_name).to_owned(),
                        size: (*size_name).to_owned(),
                        operation: (*operation_name).to_owned(),
                        operations: all.len(),
                        rounds: p50.len() as u64,
                        typical: spread(typical),
                        p50: spread(p50),
                        p99: spread(p99),
                        p99_9: spread(p99_9),
                        longest: spread(longest),
                        p99_99_of_all: at(all, 0.9999) * nanoseconds,
                        longest_of_all: all.max() as f64 * nanoseconds,
                        longest_on_core: self.all.on_core[number] as f64 * nanoseconds,
                        longest_waited: self.all.waited[number] as f64 * nanoseconds,
                    });
                }
            }
        }
        rows
    }

    /// The clock's own time, in nanoseconds: median and p99.9 of an empty pair of readings.
    pub(crate) fn empty_pair(&self, nanoseconds: f64) -> [f64; 2] {
        [0.5, 0.999].map(|quantile| at(&self.all.empty, quantile) * nanoseconds)
    }
}

fn at(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64
}

/// The mean of the middle half.
fn middle_mean(histogram: &Histogram<u64>) -> f64 {
    let (from, to) = (histogram.len() / 4, histogram.len().div_ceil(4) * 3);
    let (mut seen, mut sum) = (0_u64, 0.0);
    for bucket in histogram.iter_recorded() {
        let next = seen + bucket.count_at_value();
        let inside = next.min(to).saturating_sub(seen.max(from));
        sum += inside as f64 * bucket.value_iterated_to() as f64;
        seen = next;
    }
    sum / (to - from).max(1) as f64
}

impl Spread {
    fn of(figures: &[f64], scale: f64) -> Self {
        let mut sorted = figures.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let index = (sorted.len().saturating_sub(1)) as f64 * share;
            sorted
                .get(index.round() as usize)
                .map_or(0.0, |figure| figure * scale)
        };
        Self {
            median: median(&mut sorted.clone()).map_or(0.0, |figure| figure * scale),
            lower_quartile: at(0.25),
            upper_quartile: at(0.75),
        }
    }
}

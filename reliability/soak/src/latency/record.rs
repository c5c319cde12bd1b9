//! Histograms of one slice of time, or of many.

use std::sync::atomic::{AtomicU32, Ordering};

use hdrhistogram::Histogram;

/// How large blocks are.
pub(crate) const SIZES: [(&str, (usize, usize)); 3] = [
    ("16–256 B", (16, 257)),
    ("1 KiB", (1000, 1025)),
    ("64–256 KiB", (64 << 10, (256 << 10) + 1)),
];

/// What is measured.
pub(crate) const OPERATIONS: [&str; 2] = ["alloc", "free"];

/// What else goes on at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The other threads' load, and sampling at the default interval.
    Load,
    /// And a snapshot or a report is being made.
    Report,
    /// Sampling is dense, whatever else.
    Dense,
}

/// In the order of their numbers.
pub(crate) const MOMENTS: [&str; 3] = ["under load", "while reports are made", "sampling densely"];

/// Which moment it is: others say, the probe looks.
#[derive(Debug, Default)]
pub(crate) struct Moments {
    reports: AtomicU32,
    dense: AtomicU32,
}

impl Moments {
    /// Runs `work`, which makes reports.
    pub(crate) fn of_reports<R>(&self, work: impl FnOnce() -> R) -> R {
        self.report_begins();
        let result = work();
        self.report_ends();
        result
    }

    pub(crate) fn report_begins(&self) {
        self.reports.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn report_ends(&self) {
        self.reports.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn dense_begins(&self) {
        self.dense.fetch_add(1, Ordering::Relaxed);
    }

    /// Runs `work`, in which sampling is dense.
    pub(crate) fn of_dense_sampling<R>(&self, work: impl FnOnce() -> R) -> R {
        self.dense_begins();
        let result = work();
        self.dense.fetch_sub(1, Ordering::Relaxed);
        result
    }

    #[inline]
    pub(crate) fn now(&self) -> Moment {
        if self.dense.load(Ordering::Relaxed) > 0 {
            Moment::Dense
        } else if self.reports.load(Ordering::Relaxed) > 0 {
            Moment::Report
        } else {
            Moment::Load
        }
    }
}

/// Ticks of each operation, by moment, size and operation.
pub(crate) struct Record {
    histograms: Vec<Histogram<u64>>,
    /// An empty pair of readings of the clock.
    pub(crate) empty: Histogram<u64>,
    /// The longest operation during which the thread stayed on its core, for each of `histograms`.
    pub(crate) on_core: Vec<u64>,
    /// The longest one in which it waited, and was not preempted.
    pub(crate) waited: Vec<u64>,
}

/// Kinds of operations.
pub(crate) const KINDS: usize = MOMENTS.len() * SIZES.len() * OPERATIONS.len();

pub(crate) fn kind(moment: usize, size: usize, operation: usize) -> usize {
    (moment * SIZES.len() + size) * OPERATIONS.len() + operation
}

impl Record {
    pub(crate) fn new() -> Self {
        Self {
            histograms: (0..KINDS).map(|_| histogram()).collect(),
            empty: histogram(),
            on_core: vec![0; KINDS],
            waited: vec![0; KINDS],
        }
    }

    #[inline]
    pub(crate) fn add(&mut self, kind: usize, ticks: u64) {
        self.histograms[kind].saturating_record(ticks);
    }

    pub(crate) fn get(&self, kind: usize) -> &Histogram<u64> {
        &self.histograms[kind]
    }

    /// Adds all of `other`.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (all, more) in self.histograms.iter_mut().zip(&other.histograms) {
            all.add(more).expect("they have the same range");
        }
        self.empty
            .add(&other.empty)
            .expect("they have the same range");
        let longest = self.on_core.iter_mut().chain(&mut self.waited);
        for (all, more) in longest.zip(other.on_core.iter().chain(&other.waited)) {
            *all = (*all).max(*more);
        }
    }

    pub(crate) fn reset(&mut self) {
        self.histograms.iter_mut().for_each(Histogram::reset);
        self.empty.reset();
        self.on_core.fill(0);
        self.waited.fill(0);
    }
}

/// Up to many seconds, to three digits. Takes no memory later.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, MOST_TICKS, 3).expect("these bounds make sense")
}

const MOST_TICKS: u64 = 1 << 36;

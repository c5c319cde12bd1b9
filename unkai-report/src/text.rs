//! A report for people: plain text for a terminal of 80 to 120 columns.
//!
//! In this order: what to know before trusting the numbers, exact totals, how samples were taken, the sites with the
//! most live, allocated and peak bytes, the merged call tree, lifetimes, losses, and unkai's own memory. Sections
//! without content are left out. The guide `docs/reading-a-report.md` explains every line.

mod call_tree;
mod durations;
mod head;
pub(crate) mod layout;
mod losses;
mod sampling;
mod tables;

use std::io;

use unkai_core::{DurationHistogram, aside};

use crate::report::Report;
use crate::sites;

/// How to lay the text out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    width: usize,
    top_sites: usize,
    min_share: f64,
}

impl Options {
    /// 100 columns, 10 sites in each table, and call tree entries down to 1 %.
    pub const fn new() -> Self {
        Self {
            width: 100,
            top_sites: 10,
            min_share: 0.01,
        }
    }

    /// Columns to fill; values outside of 80 to 400 are moved into that range.
    #[must_use]
    pub const fn width(mut self, columns: usize) -> Self {
        self.width = match columns {
            ..80 => 80,
            80..=400 => columns,
            _ => 400,
        };
        self
    }

    /// Sites in each table at most.
    #[must_use]
    pub const fn top_sites(mut self, sites: usize) -> Self {
        self.top_sites = sites;
        self
    }

    /// Entries of the call tree with a smaller share of the whole than this (0 to 1) are summed up in one line.
    #[must_use]
    pub const fn min_share(mut self, share: f64) -> Self {
        self.min_share = share;
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

/// Writes `report` as text.
///
/// Takes time and memory in proportion to the sites and their frames; nothing is looked up any more.
///
/// # Errors
/// Those of `out`.
///
/// ```
/// use std::time::SystemTime;
/// use unkai_core::Snapshot;
/// use unkai_report::{Report, text};
///
/// let report = Report::new(Snapshot::empty(SystemTime::now()));
/// let mut out = Vec::new();
/// text::write(&report, &text::Options::new().width(120), &mut out)?;
/// assert!(out.starts_with(b"unkai heap report"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn write(report: &Report, options: &Options, out: &mut impl io::Write) -> io::Result<()> {
    aside(|| write_sections(report, options, out))
}

fn write_sections(report: &Report, options: &Options, out: &mut dyn io::Write) -> io::Result<()> {
    let mut groups = sites::groups(report);
    if report.snapshot().window.is_some() {
        // In a difference these are not of the window, and of some sites only.
        groups
            .iter_mut()
            .for_each(|group| group.ages = DurationHistogram::default());
    }
    head::write_title(report, out)?;
    head::write_warnings(report, options, out)?;
    head::write_totals(report, options, out)?;
    sampling::write(report, options, out)?;
    tables::write(report, &groups, options, out)?;
    call_tree::write(report, options, out)?;
    durations::write(&groups, options, out)?;
    losses::write(report, options, out)?;
    losses::write_own_memory(report, options, out)
}

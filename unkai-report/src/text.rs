//! A report for people: plain text for a terminal of 80 to 120 columns.
//!
//! In this order: what to know before trusting the numbers, exact totals, how samples were taken, the sites with the
//! most live, allocated and peak bytes, the merged call tree, lifetimes, losses, and unkai's own memory. Sections
//! without content are left out. The guide `docs/reading-a-report.md` explains every line.
//!
//! [`write()`] writes all of it; [`write_summary`], [`write_top`] and [`write_suspects`] write one thing each, for a quick
//! look.

mod call_tree;
mod contents;
mod durations;
mod head;
pub(crate) mod layout;
mod losses;
mod sampling;
mod suspects;
mod tables;

use std::io;

use unkai_core::{DurationHistogram, aside};

use crate::leaks::Suspect;
use crate::report::Report;
use crate::sites;
use crate::value::Value;

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

/// Writes what `report` is, without its sites: what to know before trusting the numbers, exact totals, how samples were
/// taken, and how many call stacks, names and modules there are.
///
/// # Errors
/// Those of `out`.
///
/// ```
/// use std::time::SystemTime;
/// use unkai_core::Snapshot;
/// use unkai_report::{Report, text};
///
/// let report = Report::without_names(Snapshot::empty(SystemTime::now()));
/// let mut out = Vec::new();
/// text::write_summary(&report, &text::Options::new(), &mut out)?;
/// assert!(String::from_utf8(out)?.contains("  call stacks            0\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_summary(
    report: &Report,
    options: &Options,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let out: &mut dyn io::Write = out;
    head::write_title(report, out)?;
    head::write_warnings(report, options, out)?;
    head::write_totals(report, options, out)?;
    sampling::write(report, options, out)?;
    contents::write(report, options, out)
}

/// Writes the sites with the most of `value`, as one table, below the title and what to know before trusting the
/// numbers.
///
/// # Errors
/// Those of `out`.
///
/// ```
/// use std::time::SystemTime;
/// use unkai_core::{Site, Snapshot};
/// use unkai_report::{Report, Value, text};
///
/// let mut snapshot = Snapshot::empty(SystemTime::now());
/// let mut site = Site::new(2, vec![0x1234]);
/// site.live.blocks = 7.0;
/// snapshot.sites.push(site);
///
/// let mut out = Vec::new();
/// let report = Report::without_names(snapshot);
/// text::write_top(&report, Value::LiveBlocks, &text::Options::new(), &mut out)?;
/// assert!(String::from_utf8(out)?.contains("Top sites by live blocks"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_top(
    report: &Report,
    value: Value,
    options: &Options,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let out: &mut dyn io::Write = out;
    head::write_title(report, out)?;
    head::write_warnings(report, options, out)?;
    tables::write_one(report, &sites::groups(report), value, options, out)
}

/// Writes what [`leaks::suspects`](crate::leaks::suspects) found in `report`, each with its reason, below the title and
/// what to know before trusting the numbers.
///
/// # Errors
/// Those of `out`.
///
/// ```
/// use std::time::SystemTime;
/// use unkai_core::Snapshot;
/// use unkai_report::{Report, leaks, text};
///
/// let report = Report::without_names(Snapshot::empty(SystemTime::now()));
/// let suspects = leaks::suspects(&report, &[]);
/// let mut out = Vec::new();
/// text::write_suspects(&report, &suspects, &text::Options::new(), &mut out)?;
/// assert!(String::from_utf8(out)?.contains("No site looks like a leak.\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_suspects(
    report: &Report,
    suspects: &[Suspect],
    options: &Options,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let out: &mut dyn io::Write = out;
    head::write_title(report, out)?;
    head::write_warnings(report, options, out)?;
    suspects::write(suspects, options, out)
}

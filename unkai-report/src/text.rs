//! A report for people: text for a terminal of 80 columns and more.
//!
//! In this order: what to know before trusting the numbers, exact totals, how samples were taken, the sites with the
//! most live, allocated and peak bytes, the merged call tree, lifetimes, leak suspects, losses, and unkai's own memory.
//! Sections without content are left out. The guide `docs/reading-a-report.md` explains every line.
//!
//! Plain by default; [`Options::for_terminal`] adds colours where a terminal shows them. From 110 columns on, shares have
//! bars.
//!
//! [`write()`] writes all of it; [`write_summary`], [`write_top`] and [`write_suspects`] write one thing each, for a quick
//! look.

mod call_tree;
mod contents;
mod durations;
mod head;
pub(crate) mod layout;
mod losses;
mod paint;
mod sampling;
mod suspects;
mod tables;

use std::env;
use std::io::{self, IsTerminal};

use unkai_core::{DurationHistogram, Snapshot, aside};

use crate::report::Report;
use crate::sites;
use crate::value::Value;
use paint::Paint;

/// How to lay the text out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options<'a> {
    width: usize,
    top_sites: usize,
    min_share: f64,
    paint: Paint,
    earlier: &'a [Snapshot],
}

impl<'a> Options<'a> {
    /// 100 columns without colour, 10 sites in each table, call tree entries down to 1 %, and no earlier snapshots.
    pub const fn new() -> Self {
        Self {
            width: 100,
            top_sites: 10,
            min_share: 0.01,
            paint: Paint { on: false },
            earlier: &[],
        }
    }

    /// As for [`new`](Self::new), with what suits `out`: colour if it is a terminal and neither `NO_COLOR` is set nor
    /// `TERM` is `dumb`; the width that `COLUMNS` says, if it says one.
    ///
    /// ```
    /// let options = unkai_report::text::Options::for_terminal(&std::io::stdout());
    /// # let _ = options;
    /// ```
    pub fn for_terminal(out: &impl IsTerminal) -> Self {
        let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = env::var_os("TERM").is_some_and(|kind| kind == "dumb");
        let options = Self::new().color(out.is_terminal() && !is_set("NO_COLOR") && !is_dumb);
        let columns = env::var("COLUMNS").ok();
        match columns.and_then(|columns| columns.parse().ok()) {
            Some(columns) if out.is_terminal() => options.width(columns),
            _ => options,
        }
    }

    /// Whether to use the colours of a terminal.
    #[must_use]
    pub const fn color(mut self, color: bool) -> Self {
        self.paint = Paint { on: color };
        self
    }

    /// Snapshots of the same process from before: leak suspects are then found by their growth (see
    /// [`leaks`](crate::leaks)).
    #[must_use]
    pub const fn earlier(mut self, earlier: &'a [Snapshot]) -> Self {
        self.earlier = earlier;
        self
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

    /// Columns of the bars beside shares; 0 where there is no room for any.
    fn bar_width(&self) -> usize {
        if self.width >= 110 { 10 } else { 0 }
    }

    /// Entries of the call tree with a smaller share of the whole than this (0 to 1) are summed up in one line.
    #[must_use]
    pub const fn min_share(mut self, share: f64) -> Self {
        self.min_share = share;
        self
    }
}

impl Default for Options<'_> {
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
pub fn write(report: &Report, options: &Options<'_>, out: &mut impl io::Write) -> io::Result<()> {
    aside(|| write_sections(report, options, out))
}

fn write_sections(
    report: &Report,
    options: &Options<'_>,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let mut groups = sites::groups(report);
    if report.snapshot().window.is_some() {
        // In a difference these are not of the window, and of some sites only.
        groups
            .iter_mut()
            .for_each(|group| group.ages = DurationHistogram::default());
    }
    head::write(report, options, out)?;
    head::write_totals(report, options, out)?;
    sampling::write(report, options, out)?;
    tables::write(report, &groups, options, out)?;
    call_tree::write(report, options, out)?;
    durations::write(&groups, options, out)?;
    suspects::write_found(report, &groups, options, out)?;
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
    options: &Options<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    aside(|| {
        let out: &mut dyn io::Write = out;
        head::write(report, options, out)?;
        head::write_totals(report, options, out)?;
        sampling::write(report, options, out)?;
        contents::write(report, options, out)?;
        losses::write(report, options, out)
    })
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
    options: &Options<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    aside(|| {
        let out: &mut dyn io::Write = out;
        head::write(report, options, out)?;
        tables::write_one(report, &sites::groups(report), value, options, out)?;
        losses::write(report, options, out)
    })
}

/// Writes the [leak suspects](crate::leaks) of `report`, each with its reason, below the title and what to know before
/// trusting the numbers; says so if there is none.
///
/// # Errors
/// Those of `out`.
///
/// ```
/// use std::time::SystemTime;
/// use unkai_core::Snapshot;
/// use unkai_report::{Report, text};
///
/// let earlier = [Snapshot::empty(SystemTime::now())];
/// let report = Report::without_names(Snapshot::empty(SystemTime::now()));
/// let mut out = Vec::new();
/// text::write_suspects(&report, &text::Options::new().earlier(&earlier), &mut out)?;
/// assert!(String::from_utf8(out)?.contains("No site looks like a leak.\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_suspects(
    report: &Report,
    options: &Options<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    aside(|| {
        let out: &mut dyn io::Write = out;
        head::write(report, options, out)?;
        suspects::write(report, options, out)?;
        losses::write(report, options, out)
    })
}

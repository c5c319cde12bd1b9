//! A tree of scopes as metrics for Prometheus, in the text format of OpenMetrics.
//!
//! [`write`](fn@write) makes the text of one snapshot; [`ScopesCollector`] joins a registry of the program's own, where the
//! [`HeapCollector`](crate::prometheus::HeapCollector) may be as well.
//!
//! | metric | is |
//! |---|---|
//! | `unkai_scope_used_bytes` | bytes in use, here and below |
//! | `unkai_scope_reserved_bytes` | bytes granted: in use, in stocks, and guaranteed |
//! | `unkai_scope_limit_bytes` | the limit, where there is one |
//! | `unkai_scope_peak_bytes` | the most bytes used at the same time |
//! | `unkai_scope_blocks` | blocks and reservations, here and below |
//! | `unkai_scope_waiting` | requests that wait at this scope now |
//! | `unkai_scope_refused_total` | requests that its limit refused |
//! | `unkai_scope_high_total` | how often it rose to its `high` |
//! | `unkai_scope_reclaimed_bytes_total` | bytes that reclaimers said they freed because it had no room |
//! | `unkai_scope_waits_total`, `unkai_scope_waited_seconds_total` | requests that waited at it, and how long together |
//! | `unkai_scope_omitted_scopes`, `unkai_scope_omitted_reserved_bytes` | children that the bounds of the snapshot leave out, where there are any: how many, and bytes granted to them |
//!
//! The one label is `scope`, the path, as far as it is [printable]. A value includes the scopes below: add up scopes of one level only.
//!
//! # Scopes of the same path
//! There is one series for a path, so their number stays small where a thousand queries are called `query`. Its value is
//! the sum over all scopes of that path, with these particulars:
//!
//! * The limit is the sum of the limits, 0 for a scope that is closed. If any of them has no limit, there is no value: the
//!   sum would be no limit of theirs.
//! * The peak is the sum of the peaks: they need not have been at the same time, so it may be too high.
//! * Scopes that the bounds leave out are in the omitted ones of their parent, not in the sum. Where the parts are small,
//!   take the snapshot with a higher [`top`](unkai_core::Bounds::top): series do not become more by it.
//! * A counter loses what a scope has counted when that scope is dropped, or left out. Prometheus takes that for a
//!   restart, and its `rate` is then too high: it is right for scopes that stay, as processes and tenants do. What a
//!   short-lived scope could not have is mostly refused by a limit above it, and counted there.

use std::collections::BTreeMap;
use std::time::Duration;
use std::{fmt, io};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Unit;
use unkai_core::{TreeSnapshot, aside};

#[cfg(feature = "json")]
use super::json::ScopeRecord;
use super::row::{self, Row};

pub use crate::metrics::CONTENT_TYPE;
use crate::metrics::{self, Metric, Number};
use crate::names::printable;

/// How to write metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    end: bool,
}

impl Options {
    /// A whole document.
    pub const fn new() -> Self {
        Self { end: true }
    }

    /// Whether to write the line `# EOF`, which ends a document. Without it, other metrics of the program may follow.
    #[must_use]
    pub const fn end(mut self, end: bool) -> Self {
        self.end = end;
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

/// Writes the metrics of the tree.
///
/// Takes memory for the text, and for the sums of each path, while it runs.
///
/// # Errors
/// Those of `out`.
///
/// ```
/// use unkai_core::{Bounds, Scope};
/// use unkai_report::scopes::prometheus;
///
/// let process = Scope::root("process").limit(1 << 20).build()?;
/// let queries = [process.child("query").build()?, process.child("query").build()?];
/// let rows = [queries[0].try_reserve(5000)?, queries[1].try_reserve(700)?];
///
/// let mut out = Vec::new();
/// let snapshot = process.snapshot(Bounds::new());
/// prometheus::write(&snapshot, &prometheus::Options::new(), &mut out)?;
/// let out = String::from_utf8(out)?;
/// assert!(out.contains("\nunkai_scope_used_bytes{scope=\"process/query\"} 5700\n"));
/// assert!(out.ends_with("# EOF\n"));
/// # drop(rows);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write(
    snapshot: &TreeSnapshot,
    options: &Options,
    out: &mut impl io::Write,
) -> io::Result<()> {
    aside(|| write_rows(&row::of_snapshot(snapshot), options, out))
}

/// Writes the metrics of a tree that was read back.
///
/// # Errors
/// Those of `out`.
#[cfg(feature = "json")]
pub fn write_record(
    record: &ScopeRecord,
    options: &Options,
    out: &mut impl io::Write,
) -> io::Result<()> {
    aside(|| write_rows(&row::of_record(record), options, out))
}

fn write_rows(scopes: &[Row<'_>], options: &Options, out: &mut impl io::Write) -> io::Result<()> {
    metrics::write(Paths::of(scopes), options.end, out)
}

/// The metrics of a tree for a [`Registry`](prometheus_client::registry::Registry) of the program's own: they are
/// written with each scrape, beside all others.
///
/// # Cost
/// That of the snapshot, which each scrape takes anew, and of its text.
///
/// ```
/// use prometheus_client::encoding::text::encode;
/// use prometheus_client::registry::Registry;
/// use unkai_core::{Bounds, Scope};
/// use unkai_report::scopes::prometheus::ScopesCollector;
///
/// let process = Scope::root("process").build()?;
/// let mut registry = Registry::default();
/// let tree = process.clone();
/// let collector = ScopesCollector::new(move || tree.snapshot(Bounds::new()));
/// registry.register_collector(Box::new(collector));
///
/// let pages = process.try_reserve(4096)?;
/// let mut text = String::new();
/// encode(&mut text, &registry)?;
/// assert!(text.contains("\nunkai_scope_used_bytes{scope=\"process\"} 4096\n"));
/// # drop(pages);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ScopesCollector {
    source: Box<dyn Fn() -> TreeSnapshot + Send + Sync>,
}

impl ScopesCollector {
    /// Asks `source` for a snapshot at each scrape.
    pub fn new(source: impl Fn() -> TreeSnapshot + Send + Sync + 'static) -> Self {
        Self {
            source: Box::new(source),
        }
    }
}

impl fmt::Debug for ScopesCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopesCollector").finish_non_exhaustive()
    }
}

impl Collector for ScopesCollector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        aside(|| {
            let snapshot = (self.source)();
            Paths::of(&row::of_snapshot(&snapshot)).encode(encoder)
        })
    }
}

/// The sums for each path.
#[derive(Debug)]
struct Paths(BTreeMap<String, Sums>);

/// What scopes of the same path hold together. None of them is below another: a path is longer than those above it.
#[derive(Clone, Debug)]
struct Sums {
    used: u64,
    reserved: u64,
    limit: Option<u64>,
    peak: u64,
    blocks: u64,
    waiting: u64,
    refused: u64,
    high: u64,
    reclaimed_bytes: u64,
    waits: u64,
    waited: Duration,
    omitted_scopes: u64,
    omitted_reserved: u64,
}

impl Paths {
    fn of(scopes: &[Row<'_>]) -> Self {
        let mut paths = BTreeMap::<String, Sums>::new();
        for scope in scopes {
            let path = printable(scope.path);
            match paths.get_mut(&*path) {
                Some(sums) => sums.add(scope),
                None => {
                    paths.insert(path.into_owned(), Sums::of(scope));
                }
            }
        }
        Self(paths)
    }
}

impl Sums {
    fn of(scope: &Row<'_>) -> Self {
        Self {
            used: scope.used,
            reserved: scope.reserved,
            limit: scope.limit,
            peak: scope.peak,
            blocks: scope.blocks,
            waiting: scope.waiting,
            refused: scope.refused,
            high: scope.high_events,
            reclaimed_bytes: scope.reclaimed_bytes,
            waits: scope.waits,
            waited: scope.waited,
            omitted_scopes: scope.omitted_scopes,
            omitted_reserved: scope.omitted_reserved,
        }
    }

    fn add(&mut self, scope: &Row<'_>) {
        let other = Self::of(scope);
        let sum = |sum: &mut u64, part: u64| *sum = sum.saturating_add(part);
        sum(&mut self.used, other.used);
        sum(&mut self.reserved, other.reserved);
        let limits = self.limit.zip(other.limit);
        self.limit = limits.map(|(one, other)| one.saturating_add(other));
        sum(&mut self.peak, other.peak);
        sum(&mut self.blocks, other.blocks);
        sum(&mut self.waiting, other.waiting);
        sum(&mut self.refused, other.refused);
        sum(&mut self.high, other.high);
        sum(&mut self.reclaimed_bytes, other.reclaimed_bytes);
        sum(&mut self.waits, other.waits);
        self.waited = self.waited.saturating_add(other.waited);
        sum(&mut self.omitted_scopes, other.omitted_scopes);
        sum(&mut self.omitted_reserved, other.omitted_reserved);
    }
}

const METRICS: [Metric<Sums>; 13] = [
    Metric::gauge(
        "unkai_scope_used",
        Some(Unit::Bytes),
        "Bytes in use, here and below.",
        |sums| Some(Number::Whole(sums.used)),
    ),
    Metric::gauge(
        "unkai_scope_reserved",
        Some(Unit::Bytes),
        "Bytes granted, here and below: in use, in stocks, and guaranteed.",
        |sums| Some(Number::Whole(sums.reserved)),
    ),
    Metric::gauge(
        "unkai_scope_limit",
        Some(Unit::Bytes),
        "The limit of the scope.",
        |sums| sums.limit.map(Number::Whole),
    ),
    Metric::gauge(
        "unkai_scope_peak",
        Some(Unit::Bytes),
        "The most bytes used at the same time, here and below.",
        |sums| Some(Number::Whole(sums.peak)),
    ),
    Metric::gauge(
        "unkai_scope_blocks",
        None,
        "Blocks and reservations, here and below.",
        |sums| Some(Number::Whole(sums.blocks)),
    ),
    Metric::gauge(
        "unkai_scope_waiting",
        None,
        "Requests that wait at the scope now.",
        |sums| Some(Number::Whole(sums.waiting)),
    ),
    Metric::counter(
        "unkai_scope_refused",
        None,
        "Requests that the limit of the scope refused.",
        |sums| Some(Number::Whole(sums.refused)),
    ),
    Metric::counter(
        "unkai_scope_high",
        None,
        "How often the scope rose to its level high.",
        |sums| Some(Number::Whole(sums.high)),
    ),
    Metric::counter(
        "unkai_scope_reclaimed",
        Some(Unit::Bytes),
        "Bytes that reclaimers freed because the scope had no room.",
        |sums| Some(Number::Whole(sums.reclaimed_bytes)),
    ),
    Metric::counter(
        "unkai_scope_waits",
        None,
        "Requests that waited at the scope.",
        |sums| Some(Number::Whole(sums.waits)),
    ),
    Metric::counter(
        "unkai_scope_waited",
        Some(Unit::Seconds),
        "How long requests waited at the scope, together.",
        |sums| Some(Number::Real(sums.waited.as_secs_f64())),
    ),
    Metric::gauge(
        "unkai_scope_omitted_scopes",
        None,
        "Scopes directly below that are left out of these metrics.",
        |sums| {
            Some(sums.omitted_scopes)
                .filter(|&scopes| scopes > 0)
                .map(Number::Whole)
        },
    ),
    Metric::gauge(
        "unkai_scope_omitted_reserved",
        Some(Unit::Bytes),
        "Bytes granted to scopes below that are left out of these metrics.",
        |sums| {
            Some(sums.omitted_reserved)
                .filter(|_| sums.omitted_scopes > 0)
                .map(Number::Whole)
        },
    ),
];

impl Collector for Paths {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for metric in METRICS {
            let paths = self.0.iter();
            let labelled = paths.map(|(path, sums)| ([("scope", path.as_str())], sums));
            metric.encode_each(&mut encoder, labelled)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sum_is_too_large_and_durations_are_in_seconds() {
        let scope = Row {
            path: "root",
            used: u64::MAX,
            limit: Some(u64::MAX - 1),
            refused: u64::MAX,
            waiting: 2,
            waits: 3,
            waited: Duration::from_millis(750),
            ..Row::default()
        };
        let mut text = Vec::new();
        let paths = Paths::of(&[scope.clone(), scope]);
        metrics::write(paths, true, &mut text).expect("a Vec takes it");
        let text = String::from_utf8_lossy(&text);
        for (name, value) in [
            ("used_bytes", u64::MAX.to_string()),
            ("limit_bytes", u64::MAX.to_string()),
            ("waiting", "4".to_owned()),
            ("refused_total", u64::MAX.to_string()),
            ("waits_total", "6".to_owned()),
            ("waited_seconds_total", "1.5".to_owned()),
        ] {
            let expected = format!("\nunkai_scope_{name}{{scope=\"root\"}} {value}\n");
            assert!(text.contains(&expected), "{expected} is not in {text}");
        }
    }
}

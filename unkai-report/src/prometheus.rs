//! A heap profile as metrics for Prometheus, in the text format of OpenMetrics.
//!
//! [`write`](fn@write) makes the text of one report. [`HeapCollector`] is for a program that has metrics of its own: it joins a
//! [`Registry`](prometheus_client::registry::Registry) of the `prometheus-client` crate, beside those and beside the
//! [`ScopesCollector`](crate::scopes::prometheus::ScopesCollector), and gives the state at each scrape.
//!
//! # The metrics
//! Exact, one series each if no label is named:
//!
//! | metric | type | is |
//! |---|---|---|
//! | `unkai_live_bytes`, `unkai_live_blocks` | gauge | what is allocated and not freed, in requested bytes and in blocks |
//! | `unkai_peak_live_bytes` | gauge | the highest value of live bytes |
//! | `unkai_peak_error_bytes` | gauge | how far that may lie from the true peak |
//! | `unkai_allocated_bytes_total`, `unkai_allocations_total` | counter | everything ever allocated, in bytes and in blocks |
//! | `unkai_freed_bytes_total`, `unkai_frees_total` | counter | everything ever freed |
//! | `unkai_refused_requests_total` | counter | requests that the allocator refused, as far as they were checked, or the limit |
//! | `unkai_resident_bytes` | gauge | physical memory of the process: program, allocator and unkai; where the system says |
//! | `unkai_limit_bytes` | gauge | the limit of live bytes of the process; if there is one |
//! | `unkai_limit_refused_requests_total` | counter | requests that were refused because they would have exceeded it; if that is what the limit does |
//! | `unkai_uptime_seconds` | gauge | time since the first allocation; falls when the program is started anew |
//! | `unkai_sampling_active` | gauge | 1 while blocks are sampled, 0 if sampling is off or paused |
//! | `unkai_sampling_interval_bytes` | gauge | mean bytes between samples, if they are chosen by bytes |
//! | `unkai_sampling_interval_blocks` | gauge | mean blocks between samples, if they are chosen by blocks; 1 if each is sampled |
//! | `unkai_sampling_times_sparser` | gauge | how many times sparser than set sampling is, because a table is nearly full; else 1 |
//! | `unkai_losses_total{cause}` | counter | events that could not be recorded in full; causes are named as in JSON |
//! | `unkai_own_memory_bytes{table}` | gauge | memory of unkai itself: `threads`, `stacks`, `sites`, `live_blocks`; approximate for `unwinder` |
//! | `unkai_table_entries{table}`, `unkai_table_capacity{table}` | gauge | entries of these tables in use, and how many fit |
//!
//! Estimates from samples, by the labels `function` and `place`:
//!
//! | metric | type | is |
//! |---|---|---|
//! | `unkai_site_live_bytes`, `unkai_site_live_blocks` | gauge | what was allocated there and is live |
//! | `unkai_site_live_error_bytes` | gauge | the live bytes are within ± this, with 95 % confidence |
//! | `unkai_site_allocated_bytes_total`, `unkai_site_allocations_total` | counter | everything ever allocated there |
//!
//! # Sites
//! `function` is the innermost function of the program on the call stack, named without generic parameters; `place` is
//! the file and line in it. All call stacks with the same two labels are one series. A `function` longer than 120
//! characters loses its end, a `place` its beginning.
//!
//! The number of series is bounded, for each costs memory in Prometheus: the gauges are of the sites with the most
//! live bytes, the counters of those with the most allocated bytes; at most [`Options::top_sites`] of each, 20 unless
//! told otherwise. With the default there are at most 103 series of sites, and 40 others.
//!
//! * All other sites are one more series of the gauges, `function="(other sites)"`. So the sum over all series is the
//!   estimate of the whole program.
//! * There is no such series of the counters: it would fall when a site leaves it for the top, and a counter must not.
//! * A site that falls out of the top and comes back leaves a gap. Its counter has not fallen in between, for estimates of
//!   what was allocated only grow: `rate` and `increase` are right for as much as they see.
//! * A number that is not finite, as damaged documents may hold, gives no series.
//!
//! # Queries
//!
//! | question | query |
//! |---|---|
//! | bytes allocated in a second | `rate(unkai_allocated_bytes_total[5m])` |
//! | share of physical memory that the program asked for; the rest is lost in fragments, stacks and code | `unkai_live_bytes / unkai_resident_bytes` |
//! | which site grows | `topk(5, delta(unkai_site_live_bytes[1h]) > unkai_site_live_error_bytes)` |
//! | which site allocates most | `topk(5, rate(unkai_site_allocated_bytes_total[5m]))` |
//! | mean size of what is allocated | `rate(unkai_allocated_bytes_total[5m]) / rate(unkai_allocations_total[5m])` |
//! | alert: a profile has gaps | `sum without (cause) (increase(unkai_losses_total[15m])) > 0` |
//! | alert: a table fills up | `unkai_table_entries / unkai_table_capacity > 0.75` |
//! | alert: the process is nearly at its limit | `unkai_live_bytes / unkai_limit_bytes > 0.9` |
//! | alert: a scope is nearly full | `unkai_scope_used_bytes / unkai_scope_limit_bytes > 0.9` |

mod collector;
mod heap;
mod top;

use std::io;

pub use self::collector::HeapCollector;
use self::heap::Heap;
use unkai_core::aside;

use crate::metrics;
pub use crate::metrics::CONTENT_TYPE;
use crate::report::Report;

/// Which metrics to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    top_sites: usize,
    end: bool,
}

impl Options {
    /// A whole document, with 20 sites.
    pub const fn new() -> Self {
        Self {
            top_sites: 20,
            end: true,
        }
    }

    /// Gives so many sites a series of their own at most. With 0 there is no metric of sites, and a [`HeapCollector`]
    /// names no function.
    #[must_use]
    pub const fn top_sites(mut self, sites: usize) -> Self {
        self.top_sites = sites;
        self
    }

    /// Whether to write the line `# EOF`, which ends a document. Without it, other metrics of the program may follow. A
    /// [`HeapCollector`] leaves that to its registry.
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

/// Writes the [metrics](self) of `report`.
///
/// Takes memory for the text, and for the sums of each site, while it runs.
///
/// # Errors
/// Those of `out`. [`InvalidInput`](io::ErrorKind::InvalidInput) if the report is the difference of two snapshots:
/// counters count from the start of the program, and Prometheus takes the differences itself.
///
/// ```
/// use std::time::SystemTime;
/// use unkai_core::Snapshot;
/// use unkai_report::{Report, prometheus};
///
/// let mut snapshot = Snapshot::empty(SystemTime::now());
/// snapshot.totals.allocated.bytes = 5000;
/// snapshot.totals.freed.bytes = 1000;
///
/// let mut out = Vec::new();
/// prometheus::write(&Report::new(snapshot), &prometheus::Options::new(), &mut out)?;
/// let out = String::from_utf8(out)?;
/// assert!(out.contains("\nunkai_live_bytes 4000\n"));
/// assert!(out.contains("\nunkai_allocated_bytes_total 5000\n"));
/// assert!(out.ends_with("# EOF\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write(report: &Report, options: &Options, out: &mut impl io::Write) -> io::Result<()> {
    aside(|| {
        if report.snapshot().window.is_some() {
            let why = "a difference of two snapshots has no counters: metrics are written of a plain snapshot";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        metrics::write(Heap::of(report, options.top_sites), options.end, out)
    })
}

//! Everything that the page shows, as the script reads it.
//!
//! Numbers that are shown with all their digits come as text, because scripts round large ones; sentences come from
//! [`words`](crate::words), like those of the text report.

use std::time::Duration;

use serde::Serialize;
use unkai_core::{DurationHistogram, Estimate, Site, Snapshot, TableUse};

use super::memory::Memory;
use super::stacks::{Builder, Stacks, Strings};
use crate::leaks::{self, Suspect};
use crate::report::Report;
use crate::sites::{SiteGroup, groups};
use crate::units::{bytes, digits, duration, moment, signed_digits};
use crate::words::limit;
use crate::words::losses::explanation;
use crate::words::sampling;
use crate::words::warnings::warnings;

#[derive(Serialize)]
pub(super) struct Data<'a> {
    title: &'a str,
    taken: String,
    uptime: String,
    /// The time between two snapshots, if the report is about their difference.
    window: Option<String>,
    warnings: Vec<String>,
    losses: Vec<Loss>,
    totals: Totals,
    memory: Memory,
    sampling: [String; 2],
    suspects: Vec<Suspected>,
    /// What the suspects were judged by, in words.
    basis: String,
    own_memory: Vec<Table>,
    modules: Vec<Module<'a>>,
    strings: Strings,
    stacks: Stacks<'a>,
    sites: Sites,
    groups: Groups,
}

#[derive(Serialize)]
struct Loss {
    events: String,
    meaning: &'static str,
}

#[derive(Serialize)]
struct Totals {
    live: Total,
    allocated: Total,
    freed: Total,
    peak_bytes: u64,
    peak_digits: String,
    /// How far from the true peak it may lie, in words.
    peak_error: Option<String>,
    /// Requests that were refused, and by whom.
    refused: Vec<String>,
}

#[derive(Serialize)]
struct Total {
    bytes: i64,
    blocks: i64,
    bytes_digits: String,
    blocks_digits: String,
}

#[derive(Serialize)]
struct Suspected {
    name: String,
    via: Option<String>,
    place: Option<String>,
    live: f64,
    live_error: f64,
    reason: String,
    /// Its place in the table.
    group: Option<u32>,
}

#[derive(Serialize)]
struct Table {
    name: &'static str,
    used: u64,
    at_most: u64,
    /// `None` for what is no table.
    entries: Option<[u64; 2]>,
}

#[derive(Serialize)]
struct Module<'a> {
    path: &'a str,
    build_id: Option<String>,
    start: String,
}

/// Call stacks, as lists of the same length.
#[derive(Default, Serialize)]
struct Sites {
    /// Where the stack ends.
    node: Vec<u32>,
    group: Vec<u32>,
    live: Estimates,
    allocated: Estimates,
    at_peak: Estimates,
}

#[derive(Default, Serialize)]
struct Estimates {
    samples: Vec<i64>,
    bytes: Vec<f64>,
    blocks: Vec<f64>,
    /// Halves of 95 % confidence intervals.
    bytes_error: Vec<f64>,
    blocks_error: Vec<f64>,
}

/// Sites as the tables have them, as lists of the same length.
#[derive(Default, Serialize)]
struct Groups {
    /// Numbers of strings. Below zero, the short name of a function: −1 is that of the first.
    name: Vec<i64>,
    /// Numbers of strings, as is the next one.
    via: Vec<u32>,
    place: Vec<u32>,
    /// The first bucket that is filled, and the blocks of all from there to the last that is.
    lifetimes: Vec<Vec<f64>>,
    ages: Vec<Vec<f64>>,
}

impl<'a> Data<'a> {
    pub(super) fn new(report: &'a Report, title: &'a str, earlier: &[Snapshot]) -> Self {
        let snapshot = report.snapshot();
        let losses = snapshot.losses.iter().filter(|(_, events)| *events > 0);
        let (mut strings, mut builder) = (Strings::new(), Builder::new());
        let groups = groups(report);
        let mut sites = Sites::new(snapshot, &groups);
        sites.node = builder.add(report, &mut strings);
        let stacks = builder.finish(&mut strings);
        Self {
            title,
            taken: moment(snapshot.taken_at),
            uptime: duration(snapshot.uptime),
            window: snapshot.window.map(duration),
            warnings: warnings(report),
            losses: losses
                .map(|(cause, events)| Loss {
                    events: digits(events),
                    meaning: explanation(cause),
                })
                .collect(),
            totals: Totals::of(snapshot),
            memory: Memory::of(snapshot),
            sampling: [sampling::blocks(snapshot), sampling::stacks(snapshot)],
            suspects: leaks::among(&groups, report, earlier)
                .into_iter()
                .map(|suspect| Suspected::new(suspect, snapshot, &sites))
                .collect(),
            basis: leaks::basis(report, earlier),
            own_memory: own_memory(snapshot),
            modules: modules(report),
            groups: Groups::new(&groups, snapshot.window, &stacks, &mut strings),
            stacks,
            strings,
            sites,
        }
    }
}

impl Totals {
    fn of(snapshot: &Snapshot) -> Self {
        let totals = &snapshot.totals;
        let cumulated = |amount: unkai_core::Amount| Total {
            bytes: i64::try_from(amount.bytes).unwrap_or(i64::MAX),
            blocks: i64::try_from(amount.blocks).unwrap_or(i64::MAX),
            bytes_digits: digits(amount.bytes),
            blocks_digits: digits(amount.blocks),
        };
        Self {
            live: Total {
                bytes: totals.live_bytes(),
                blocks: totals.live_blocks(),
                bytes_digits: signed_digits(totals.live_bytes()),
                blocks_digits: signed_digits(totals.live_blocks()),
            },
            allocated: cumulated(totals.allocated),
            freed: cumulated(totals.freed),
            peak_bytes: totals.peak_live_bytes,
            peak_digits: digits(totals.peak_live_bytes),
            peak_error: match totals.peak_error_bytes {
                0 => None,
                error => Some(bytes(error as f64)),
            },
            refused: limit::refusals(snapshot),
        }
    }
}

impl Suspected {
    fn new(suspect: Suspect, snapshot: &Snapshot, sites: &Sites) -> Self {
        let first = suspect.site_ids.first();
        let place = first.and_then(|id| snapshot.sites.iter().position(|site| site.id == *id));
        Self {
            group: place.map(|place| sites.group[place]),
            name: suspect.name,
            via: suspect.via,
            place: suspect.place,
            live: rounded(suspect.live.bytes),
            live_error: rounded(suspect.live.bytes_error_95()),
            reason: suspect.reason,
        }
    }
}

impl Sites {
    /// All but the nodes.
    fn new(snapshot: &Snapshot, groups: &[SiteGroup]) -> Self {
        let mut sites = Self {
            group: vec![0; snapshot.sites.len()],
            ..Self::default()
        };
        for (number, group) in (0..).zip(groups) {
            for &member in &group.members {
                sites.group[member] = number;
            }
        }
        for site in &snapshot.sites {
            sites.push(site);
        }
        sites
    }

    fn push(&mut self, site: &Site) {
        self.live.push(&site.live);
        self.allocated.push(&site.allocated);
        self.at_peak.push(&site.at_peak);
    }
}

impl Estimates {
    fn push(&mut self, estimate: &Estimate) {
        self.samples.push(estimate.samples);
        self.bytes.push(rounded(estimate.bytes));
        self.blocks.push(rounded(estimate.blocks));
        self.bytes_error.push(rounded(estimate.bytes_error_95()));
        self.blocks_error.push(rounded(estimate.blocks_error_95()));
    }
}

impl Groups {
    fn new(
        groups: &[SiteGroup],
        window: Option<Duration>,
        stacks: &Stacks<'_>,
        strings: &mut Strings,
    ) -> Self {
        let mut lists = Self::default();
        for group in groups {
            let label = &group.label;
            lists.name.push(match stacks.function(&label.name) {
                Some(function) => -1 - i64::from(function),
                None => strings.add(&label.name).into(),
            });
            let via = label.via.as_deref().unwrap_or_default();
            lists.via.push(strings.add(via));
            let place = label.place.as_deref().unwrap_or_default();
            lists.place.push(strings.add(place));
            lists.lifetimes.push(filled_buckets(&group.lifetimes));
            // In a difference these are not of the window, and of some sites only.
            let ages = match window {
                Some(_) => Vec::new(),
                None => filled_buckets(&group.ages),
            };
            lists.ages.push(ages);
        }
        lists
    }
}

fn filled_buckets(histogram: &DurationHistogram) -> Vec<f64> {
    let buckets = histogram.buckets.map(rounded);
    let is_filled = |blocks: &f64| *blocks != 0.0;
    let Some(first) = buckets.iter().position(is_filled) else {
        return Vec::new();
    };
    let last = buckets.iter().rposition(is_filled).unwrap_or(first);
    let mut list = vec![first as f64];
    list.extend(&buckets[first..=last]);
    list
}

fn own_memory(snapshot: &Snapshot) -> Vec<Table> {
    let own = &snapshot.own_memory;
    let table = |name: &'static str, table: TableUse| Table {
        name,
        used: table.used_bytes,
        at_most: table.capacity_bytes,
        entries: Some([table.entries, table.capacity]),
    };
    let sum = |name: &'static str, used: u64, at_most: u64| Table {
        name,
        used,
        at_most,
        entries: None,
    };
    vec![
        table("threads", own.threads),
        table("call stacks", own.stacks),
        table("sites", own.sites),
        table("live samples", own.live_blocks),
        sum("unwinder", own.unwinder_bytes, own.unwinder_bytes),
        sum("together", own.used_bytes(), own.capacity_bytes()),
    ]
}

/// Each file once: it may be loaded in several stretches.
fn modules(report: &Report) -> Vec<Module<'_>> {
    let mut modules: Vec<Module<'_>> = Vec::new();
    for module in report.modules().list() {
        if modules.last().is_none_or(|last| last.path != module.path) {
            modules.push(Module {
                path: &module.path,
                build_id: module.build_id_text(),
                start: format!("{:#x}", module.start),
            });
        }
    }
    modules
}

/// `value` as a whole number, or in hundredths below a thousand: that keeps the page small. Zero if it is not a number,
/// or too large to be one of bytes.
fn rounded(value: f64) -> f64 {
    let steps = match value.abs() {
        size if size < 1000.0 => 100.0,
        size if size < LARGEST => 1.0,
        _ => return 0.0,
    };
    // Adding zero makes a negative zero a positive one.
    (value * steps).round() / steps + 0.0
}

/// More bytes than there are addresses for.
const LARGEST: f64 = 1e21;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_becomes_zero() {
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, -0.001] {
            assert_eq!(rounded(odd).to_bits(), 0, "{odd}");
        }
        assert_eq!(rounded(1234.567), 1235.0);
        assert_eq!(rounded(234.567), 234.57);
        assert_eq!(rounded(-0.126), -0.13);
    }

    #[test]
    fn histograms_are_written_from_the_first_filled_bucket_to_the_last() {
        let mut histogram = DurationHistogram::default();
        assert!(filled_buckets(&histogram).is_empty());
        histogram.buckets[5] = 2.0;
        histogram.buckets[6] = f64::NAN;
        histogram.buckets[7] = 0.5;
        assert_eq!(filled_buckets(&histogram), [5.0, 2.0, 0.0, 0.5]);
    }
}

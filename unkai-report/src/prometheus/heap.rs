//! All metrics of one moment.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Unit;
use unkai_core::{
    LimitStatus, Losses, OwnMemory, Sampling, SamplingStatus, Snapshot, TableUse, Totals,
};

use super::top::Top;
use crate::metrics::{Metric, Number};
use crate::report::Report;
use crate::words::losses;

/// The numbers of a snapshot that become metrics.
#[derive(Debug)]
pub(super) struct Heap {
    status: Status,
    losses: Losses,
    own_memory: OwnMemory,
    top: Top,
}

/// What has no label.
#[derive(Debug)]
struct Status {
    totals: Totals,
    resident_bytes: Option<u64>,
    limit: Option<LimitStatus>,
    uptime_seconds: f64,
    sampling: SamplingStatus,
}

impl Heap {
    pub(super) fn of(report: &Report, top_sites: usize) -> Self {
        Self::new(report.snapshot(), Top::of(report, &[], top_sites))
    }

    pub(super) fn new(snapshot: &Snapshot, top: Top) -> Self {
        let status = Status {
            totals: snapshot.totals,
            resident_bytes: snapshot.resident_bytes,
            limit: snapshot.limit,
            uptime_seconds: snapshot.uptime.as_secs_f64(),
            sampling: snapshot.sampling,
        };
        Self {
            status,
            losses: snapshot.losses,
            own_memory: snapshot.own_memory,
            top,
        }
    }
}

impl Collector for Heap {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for metric in STATUS {
            metric.encode(&mut encoder, &self.status)?;
        }
        let losses: Vec<_> = self.losses.iter().collect();
        let causes = losses.iter().filter_map(|(cause, count)| {
            let cause = losses::name(*cause)?;
            Some(([("cause", cause)], count))
        });
        LOSSES.encode_each(&mut encoder, causes)?;
        let own = &self.own_memory;
        let tables = [
            ("threads", own.threads),
            ("stacks", own.stacks),
            ("sites", own.sites),
            ("live_blocks", own.live_blocks),
        ];
        let mut unwinder = TableUse::default();
        unwinder.used_bytes = own.unwinder_bytes;
        let unwinder = ("unwinder", unwinder);
        let memory = tables.iter().chain([&unwinder]);
        OWN_MEMORY.encode_each(&mut encoder, memory.map(labelled))?;
        for metric in TABLES {
            metric.encode_each(&mut encoder, tables.iter().map(labelled))?;
        }
        self.top.encode(&mut encoder)
    }
}

fn labelled<'t>(
    (table, figures): &'t (&'t str, TableUse),
) -> ([(&'t str, &'t str); 1], &'t TableUse) {
    ([("table", table)], figures)
}

const STATUS: [Metric<Status>; 17] = [
    Metric::gauge(
        "unkai_live",
        Some(Unit::Bytes),
        "Requested bytes that are allocated and not freed.",
        |status| Some(Number::Signed(status.totals.live_bytes())),
    ),
    Metric::gauge(
        "unkai_live_blocks",
        None,
        "Blocks that are allocated and not freed.",
        |status| Some(Number::Signed(status.totals.live_blocks())),
    ),
    Metric::gauge(
        "unkai_peak_live",
        Some(Unit::Bytes),
        "The highest value of live bytes.",
        |status| Some(Number::Whole(status.totals.peak_live_bytes)),
    ),
    Metric::gauge(
        "unkai_peak_error",
        Some(Unit::Bytes),
        "How far the highest value of live bytes may lie from the true one.",
        |status| Some(Number::Whole(status.totals.peak_error_bytes)),
    ),
    Metric::counter(
        "unkai_allocated",
        Some(Unit::Bytes),
        "Requested bytes ever allocated.",
        |status| Some(Number::Whole(status.totals.allocated.bytes)),
    ),
    Metric::counter(
        "unkai_allocations",
        None,
        "Blocks ever allocated.",
        |status| Some(Number::Whole(status.totals.allocated.blocks)),
    ),
    Metric::counter(
        "unkai_freed",
        Some(Unit::Bytes),
        "Requested bytes ever freed.",
        |status| Some(Number::Whole(status.totals.freed.bytes)),
    ),
    Metric::counter("unkai_frees", None, "Blocks ever freed.", |status| {
        Some(Number::Whole(status.totals.freed.blocks))
    }),
    Metric::counter(
        "unkai_refused_requests",
        None,
        "Requests that the allocator refused, as far as they were checked.",
        |status| Some(Number::Whole(status.totals.refused_requests)),
    ),
    Metric::gauge(
        "unkai_resident",
        Some(Unit::Bytes),
        "Physical memory of the process: program, allocator and profiler.",
        |status| status.resident_bytes.map(Number::Whole),
    ),
    Metric::gauge(
        "unkai_limit",
        Some(Unit::Bytes),
        "Limit of live bytes of the process.",
        |status| status.limit.map(|limit| Number::Whole(limit.limit_bytes)),
    ),
    Metric::counter(
        "unkai_limit_refused_requests",
        None,
        "Requests that were refused because they would have exceeded the limit.",
        |status| {
            let limit = status.limit.filter(|limit| limit.refuses);
            limit.map(|limit| Number::Whole(limit.refused_requests))
        },
    ),
    Metric::gauge(
        "unkai_uptime",
        Some(Unit::Seconds),
        "Time since the first allocation.",
        |status| Some(Number::Real(status.uptime_seconds)),
    ),
    Metric::gauge(
        "unkai_sampling_active",
        None,
        "1 while blocks are sampled, 0 if sampling is off or paused.",
        |status| {
            let active = status.sampling.mode != Sampling::Off && !status.sampling.paused;
            Some(Number::Whole(active.into()))
        },
    ),
    Metric::gauge(
        "unkai_sampling_interval",
        Some(Unit::Bytes),
        "Mean bytes between two samples.",
        |status| match status.sampling.mode {
            Sampling::Bytes { interval } => Some(Number::Whole(interval)),
            _ => None,
        },
    ),
    Metric::gauge(
        "unkai_sampling_interval_blocks",
        None,
        "Mean blocks between two samples.",
        |status| match status.sampling.mode {
            Sampling::Blocks { one_in } => Some(Number::Whole(one_in)),
            Sampling::EveryBlock => Some(Number::Whole(1)),
            _ => None,
        },
    ),
    Metric::gauge(
        "unkai_sampling_times_sparser",
        None,
        "How many times sparser than set sampling is, because a table is nearly full.",
        |status| Some(Number::Whole(status.sampling.times_sparser())),
    ),
];

const LOSSES: Metric<u64> = Metric::counter(
    "unkai_losses",
    None,
    "Events that could not be recorded in full.",
    |count| Some(Number::Whole(*count)),
);

const OWN_MEMORY: Metric<TableUse> = Metric::gauge(
    "unkai_own_memory",
    Some(Unit::Bytes),
    "Memory of the profiler itself.",
    |table| Some(Number::Whole(table.used_bytes)),
);

const TABLES: [Metric<TableUse>; 2] = [
    Metric::gauge(
        "unkai_table_entries",
        None,
        "Entries in use of a table of the profiler.",
        |table| Some(Number::Whole(table.entries)),
    ),
    Metric::gauge(
        "unkai_table_capacity",
        None,
        "Entries that a table of the profiler can have.",
        |table| Some(Number::Whole(table.capacity)),
    ),
];

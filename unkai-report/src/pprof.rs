//! Profiles for pprof: the format of Go's heap profiles, which many viewers and servers read.
//!
//! | sample type | unit | [`Value`] |
//! |---|---|---|
//! | `alloc_objects` | count | [`AllocatedBlocks`](Value::AllocatedBlocks) |
//! | `alloc_space` | bytes | [`AllocatedBytes`](Value::AllocatedBytes) |
//! | `inuse_objects` | count | [`LiveBlocks`](Value::LiveBlocks) |
//! | `inuse_space` | bytes | [`LiveBytes`](Value::LiveBytes): what viewers show first |
//! | `peak_objects` | count | [`PeakBlocks`](Value::PeakBlocks), not in a difference of two snapshots |
//! | `peak_space` | bytes | [`PeakBytes`](Value::PeakBytes), not in a difference of two snapshots |
//!
//! The first four are those of Go, in its order. A difference has only these: a window has no peak of its own.
//!
//! # Opening one
//! ```text
//! go tool pprof -top heap.pb.gz                              a table of functions
//! go tool pprof -top -sample_index=alloc_space heap.pb.gz    … by all that was allocated
//! go tool pprof -http=: heap.pb.gz                           graph, flame graph and source in a browser
//! go tool pprof -http=: -diff_base=early.pb.gz late.pb.gz    what changed; shares are of the early total
//! go tool pprof -http=: -base=early.pb.gz late.pb.gz         what changed; shares are of the change
//! go tool pprof -comments heap.pb.gz                         warnings, exact totals, how samples were taken
//! ```
//! [`Snapshot::since`](unkai_core::Snapshot::since) makes the difference in the program itself.
//!
//! # Names
//! A report with names is complete: no other file is needed to read it. Functions have their short name, and as system
//! name the one in the binary. Frames of the allocator and of the runtime are left out, as in the text report.
//!
//! A report without names holds all frames as addresses, and the modules with their build ids. pprof names them by the
//! files of the modules where these are (or below `PPROF_BINARY_PATH`), if it is the one of `go install
//! github.com/google/pprof@latest`, which asks binutils or LLVM; `go tool pprof` understands Go's own debug information
//! only, and may show wrong names. Servers name them by the debug information that was uploaded to them. The profile asks
//! all of them to leave out the allocator's frames then.
//!
//! An address is that of the call, one byte before the return address: the format wants one within the instruction, and
//! no reader subtracts anything.
//!
//! # Servers
//! Parca, Grafana Alloy and Pyroscope fetch `/debug/pprof/allocs` by default, and tell a profile apart by its sample
//! types and its period type; these do not change with the sampling. They take differences of `alloc_*` themselves, so
//! give them plain snapshots, unless a request asks for `?seconds=`: then it wants a difference. For `allocs`, set
//! [`Options::default_value`] to [`Value::AllocatedBytes`], as Go does.

mod comments;
mod proto;
mod rows;
mod tables;
mod values;

use std::io::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message;
use unkai_core::{Sampling, Snapshot, aside};

use crate::report::Report;
use crate::value::Value;
use proto::{Label, Profile, Sample, ValueType};
use tables::Tables;

/// What to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    compressed: bool,
    default_value: Value,
    whole_stacks: bool,
    labels: Vec<(String, String)>,
}

impl Options {
    /// Compressed, live bytes first, stacks without the allocator and the runtime, no label.
    pub const fn new() -> Self {
        Self {
            compressed: true,
            default_value: Value::LiveBytes,
            whole_stacks: false,
            labels: Vec::new(),
        }
    }

    /// Whether to compress the profile with gzip. Every reader takes both.
    #[must_use]
    pub const fn compressed(mut self, compressed: bool) -> Self {
        self.compressed = compressed;
        self
    }

    /// The value that viewers show first. One of the peak, which a difference does not have, becomes live bytes there.
    #[must_use]
    pub const fn default_value(mut self, value: Value) -> Self {
        self.default_value = value;
        self
    }

    /// Whether to keep the frames of the allocator and of the runtime.
    #[must_use]
    pub const fn whole_stacks(mut self, whole_stacks: bool) -> Self {
        self.whole_stacks = whole_stacks;
        self
    }

    /// Puts a label on every sample, such as the name of the service and of its instance: profiles of many programs can
    /// then be merged and told apart (`-tagfocus`, `-tagroot`). A key that is set again gets the new value.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        let (key, value) = (key.into(), value.into());
        match self.labels.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = value,
            None => self.labels.push((key, value)),
        }
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

/// Writes `report` as a pprof profile.
///
/// Values are integers: a row is rounded up or down, such that all rows together make the rounded sum of all sites.
/// Estimates that are not finite count as 0. Rows that are 0 in every value are left out. In a difference of two snapshots
/// values may be negative. Each row has a label `bytes`, the average size of its blocks.
///
/// # Errors
/// Those of `out`.
///
/// # Cost
/// The whole profile is built and encoded in memory first: some hundred bytes for each distinct function and place, and
/// some ten for each frame of a stack.
///
/// ```
/// use std::time::SystemTime;
/// use unkai_core::{Site, Snapshot};
/// use unkai_report::{Report, pprof};
///
/// let mut snapshot = Snapshot::empty(SystemTime::now());
/// let mut site = Site::new(2, vec![0x1234, 0x5678]);
/// site.live.bytes = 42.3;
/// snapshot.sites.push(site);
///
/// let options = pprof::Options::new().label("service", "search");
/// let mut out = Vec::new();
/// pprof::write(&Report::without_names(snapshot), &options, &mut out)?;
/// assert_eq!(out[..2], [0x1f, 0x8b], "it is compressed");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn write(report: &Report, options: &Options, out: &mut impl io::Write) -> io::Result<()> {
    aside(|| {
        let profile = profile(report, options).encode_to_vec();
        if options.compressed {
            let mut out = GzEncoder::new(out, Compression::fast());
            out.write_all(&profile)?;
            out.finish()?;
            Ok(())
        } else {
            out.write_all(&profile)
        }
    })
}

fn profile(report: &Report, options: &Options) -> Profile {
    let snapshot = report.snapshot();
    let values = values::of(snapshot);
    let mut tables = Tables::new(report);
    let value_type = |tables: &mut Tables, name: &str, unit: &str| ValueType {
        r#type: tables.string(name),
        unit: tables.string(unit),
    };
    let sample_type = values
        .iter()
        .map(|&value| value_type(&mut tables, values::name(value), values::unit(value)))
        .collect();
    let period_type = Some(value_type(&mut tables, "space", "bytes"));
    let default_value = Some(options.default_value)
        .filter(|value| values.contains(value))
        .unwrap_or_default();
    let default_sample_type = tables.string(values::name(default_value));
    let drop_frames = if report.symbols().is_empty() && !options.whole_stacks {
        tables.string(ALLOCATOR_FRAMES)
    } else {
        0
    };
    let comment = comments::of(report)
        .iter()
        .map(|line| tables.string(line))
        .collect();
    let sample = samples(report, options, values, &mut tables);
    Profile {
        sample_type,
        sample,
        drop_frames,
        time_nanos: nanoseconds_since_epoch(snapshot.taken_at),
        duration_nanos: snapshot.window.map_or(0, nanoseconds),
        period_type,
        period: period(snapshot),
        comment,
        default_sample_type,
        ..tables.into_profile()
    }
}

fn samples(
    report: &Report,
    options: &Options,
    values: &[Value],
    tables: &mut Tables,
) -> Vec<Sample> {
    let strings: Vec<Label> = options
        .labels
        .iter()
        .map(|(key, value)| Label {
            key: tables.string(key),
            str: tables.string(value),
            ..Label::default()
        })
        .collect();
    let (bytes, mut rounding) = (tables.string("bytes"), values::Rounding::default());
    let rows = rows::of(report, options.whole_stacks, tables);
    let samples = rows.into_iter().map(|row| {
        let size = row.block_size().map(|size| Label {
            key: bytes,
            num: size,
            num_unit: bytes,
            ..Label::default()
        });
        Sample {
            value: rounding.of_row(values, &row.values),
            label: strings.iter().copied().chain(size).collect(),
            location_id: row.stack,
        }
    });
    samples
        .filter(|sample| sample.value.iter().any(|value| *value != 0))
        .collect()
}

/// Mean bytes between two samples: 1 for every block, 0 for none.
fn period(snapshot: &Snapshot) -> i64 {
    let allocated = &snapshot.totals.allocated;
    match snapshot.sampling.mode {
        Sampling::EveryBlock => 1,
        Sampling::Bytes { interval } => i64::try_from(interval).unwrap_or(i64::MAX),
        // In blocks of the program's average size. A period of another type would be another kind of profile to servers.
        Sampling::Blocks { one_in } => {
            let block_size = allocated.bytes as f64 / allocated.blocks.max(1) as f64;
            (one_in as f64 * block_size).round().max(1.0) as i64
        }
        _ => 0,
    }
}

fn nanoseconds_since_epoch(moment: SystemTime) -> i64 {
    match moment.duration_since(UNIX_EPOCH) {
        Ok(after) => nanoseconds(after),
        Err(before) => -nanoseconds(before.duration()),
    }
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// What a reader is to leave out once it has named the frames: the symbols through which Rust code allocates, what lies
/// between them and a collection, and unkai. With or without the crates' hashes and a leading `<`.
const ALLOCATOR_FRAMES: &str = r"(__rustc(\[[0-9a-f]+\])?::)?__(rust|rg|rdl)_(alloc|alloc_zeroed|realloc)|<?(alloc(\[[0-9a-f]+\])?::(alloc|raw_vec)|unkai(_core|_global|_allocator)?(\[[0-9a-f]+\])?)::.*";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_period_is_in_bytes_whatever_the_sampling() {
        let mut snapshot = Snapshot::empty(UNIX_EPOCH);
        snapshot.totals.allocated.bytes = 3000;
        snapshot.totals.allocated.blocks = 40;
        let interval = u64::MAX;
        for (mode, expected) in [
            (Sampling::Off, 0),
            (Sampling::EveryBlock, 1),
            (Sampling::Bytes { interval: 4096 }, 4096),
            (Sampling::Bytes { interval }, i64::MAX),
            (Sampling::Blocks { one_in: 10 }, 750),
        ] {
            snapshot.sampling.mode = mode;
            assert_eq!(period(&snapshot), expected, "{mode:?}");
        }
    }

    #[test]
    fn moments_before_1970_and_absurd_durations_are_within_bounds() {
        let second = Duration::from_secs(1);
        assert_eq!(nanoseconds_since_epoch(UNIX_EPOCH - second), -1_000_000_000);
        assert_eq!(nanoseconds(Duration::MAX), i64::MAX);
    }

    #[test]
    fn a_label_that_is_set_again_gets_the_new_value() {
        let options = Options::new().label("a", "1").label("b", "2");
        assert_eq!(
            options.label("a", "3"),
            Options::new().label("a", "3").label("b", "2")
        );
    }
}

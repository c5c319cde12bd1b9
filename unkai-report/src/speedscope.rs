//! Profiles for [speedscope](https://www.speedscope.app), in its own JSON format.
//!
//! One file has a profile for each [`Value`]: live, allocated and at the peak, in bytes and in blocks, to be chosen at the
//! top of the page. Each distinct call stack is a sample with the value as its weight. Frames of the allocator and of the
//! runtime are left out, as in the text report; names are [short](crate::Function::short_name), and a function is one frame
//! whatever its lines.
//!
//! A difference of two snapshots has a profile of what grew and one of what shrank in place of one of live bytes, and of
//! live blocks: the format has no negative weights. Profiles without any weight are left out, all but the chosen one.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;

use unkai_core::aside;

use crate::numbered::{self, Numbers, Rounding};
use crate::report::Report;
use crate::shown::Step;
use crate::units::moment;
use crate::value::Value;

/// Which profile to show first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    value: Value,
}

impl Options {
    /// Live bytes first.
    pub const fn new() -> Self {
        Self {
            value: Value::LiveBytes,
        }
    }

    /// Shows `value` first instead.
    #[must_use]
    pub const fn value(mut self, value: Value) -> Self {
        self.value = value;
        self
    }
}

/// Writes `report` as JSON for speedscope.
///
/// Weights are rounded to integers, each by less than one, so that the sum of a profile is the rounded sum of the
/// estimates.
///
/// # Cost
/// Takes memory for a copy of the report's numbers and stacks while it runs.
///
/// # Errors
/// Those of `out`.
///
/// ```
/// use std::time::SystemTime;
/// use unkai_core::{Site, Snapshot};
/// use unkai_report::{Report, speedscope};
///
/// let mut snapshot = Snapshot::empty(SystemTime::now());
/// let mut site = Site::new(2, vec![0x1234, 0x5678]);
/// site.live.bytes = 42.3;
/// snapshot.sites.push(site);
///
/// let mut out = Vec::new();
/// speedscope::write(&Report::without_names(snapshot), &speedscope::Options::new(), &mut out)?;
/// let document: serde_json::Value = serde_json::from_slice(&out)?;
/// assert_eq!(document["profiles"][0]["weights"][0], 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write(report: &Report, options: &Options, out: &mut impl io::Write) -> io::Result<()> {
    aside(|| write_profile(report, options, out))
}

fn write_profile(report: &Report, options: &Options, out: &mut impl io::Write) -> io::Result<()> {
    let mut frames = Vec::new();
    let mut numbers = Numbers::new();
    let stacks = numbered::stacks(
        report,
        |step| {
            let frame = Frame::of(report, step);
            numbers.of((frame.name.clone(), frame.file), || frames.push(frame))
        },
        |sums: &mut [f64; 6], site| {
            for (sum, value) in sums.iter_mut().zip(Value::ALL) {
                *sum += value.of(site);
            }
        },
    );
    let snapshot = report.snapshot();
    let mut profiles = Vec::new();
    let mut first = 0;
    for (index, value) in Value::ALL.into_iter().enumerate() {
        let weighted = |sign: f64| {
            let stacks = stacks.iter();
            stacks.map(move |(stack, sums)| (stack.as_slice(), sign * sums[index]))
        };
        let parts = if snapshot.window.is_some() && value.is_level() {
            let name = |what| format!("{} that {what}", value.name());
            vec![
                Profile::new(name("grew"), value, weighted(1.0)),
                Profile::new(name("shrank"), value, weighted(-1.0)),
            ]
        } else {
            let sum = value.words_of_sum(&value.sum(snapshot));
            let name = format!("{}: {sum}", value.name());
            vec![Profile::new(name, value, weighted(1.0))]
        };
        for (part, profile) in parts.into_iter().enumerate() {
            let is_first = value == options.value && part == 0;
            if is_first {
                first = profiles.len();
            }
            if is_first || !profile.samples.is_empty() {
                profiles.push(profile);
            }
        }
    }
    let document = Document {
        schema: "https://www.speedscope.app/file-format-schema.json",
        name: name(report),
        exporter: concat!("unkai@", env!("CARGO_PKG_VERSION")),
        first,
        shared: Shared { frames },
        profiles,
    };
    // JSON is written in very small pieces.
    let mut out = io::BufWriter::new(out);
    serde_json::to_writer(&mut out, &document)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// `search, 2025-11-22 10:20:31 UTC`: what the page is called.
fn name(report: &Report) -> String {
    let taken_at = moment(report.snapshot().taken_at);
    match report.modules().program_name() {
        Some(program) => format!("{program}, {taken_at}"),
        None => taken_at,
    }
}

/// Field names are speedscope's.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    name: String,
    exporter: &'static str,
    #[serde(rename = "activeProfileIndex")]
    first: usize,
    shared: Shared<'a>,
    profiles: Vec<Profile<'a>>,
}

#[derive(Serialize)]
struct Shared<'a> {
    frames: Vec<Frame<'a>>,
}

#[derive(Serialize)]
struct Frame<'a> {
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
}

impl<'a> Frame<'a> {
    /// The source file, or the module where that is not known.
    fn of(report: &'a Report, step: &Step<'_, 'a>) -> Self {
        let file = match step {
            Step::Frame(frame) => {
                let file = frame.function.and_then(|function| function.file());
                let module = || report.modules().of(frame.address.wrapping_sub(1));
                file.or_else(|| module().map(|module| module.path.as_str()))
            }
            Step::Mark(_) => None,
        };
        Self {
            name: step.short_name(),
            file,
        }
    }
}

#[derive(Serialize)]
struct Profile<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    name: String,
    unit: &'static str,
    #[serde(rename = "startValue")]
    start: u64,
    #[serde(rename = "endValue")]
    end: u64,
    samples: Vec<&'a [usize]>,
    weights: Vec<u64>,
}

impl<'a> Profile<'a> {
    /// Of stacks from the outermost frame to the innermost with their weights; without those that have none.
    fn new(name: String, value: Value, stacks: impl Iterator<Item = (&'a [usize], f64)>) -> Self {
        let mut rounding = Rounding::default();
        let weighted = stacks.map(|(stack, weight)| (stack, rounding.next(weight)));
        let (samples, weights): (_, Vec<u64>) = weighted.filter(|(_, weight)| *weight > 0).unzip();
        Self {
            kind: "sampled",
            name,
            unit: if value.is_bytes() { "bytes" } else { "none" },
            start: 0,
            end: weights.iter().sum(),
            samples,
            weights,
        }
    }
}

//! Profiles for DHAT's viewer, `dh_view.html` of valgrind: DHAT's JSON, version 2, in the form that the Firefox Profiler imports, too.
//!
//! Each distinct call stack is a program point. Frames of the allocator and of the runtime are left out, as in the text
//! report. What DHAT asks for is mapped like this:
//!
//! | DHAT | here |
//! |---|---|
//! | total (`tb`, `tbk`) | allocated |
//! | at t-gmax (`gb`, `gbk`) | live at the peak |
//! | at t-end (`eb`, `ebk`) | live |
//! | max (`mb`, `mbk`) | the larger of the two: the true maximum of one stack is not known, and is at least that |
//! | total lifetimes (`tl`) | lifetimes of the freed blocks and ages of the live ones, in µs |
//! | t-end (`te`) | time since the first allocation, in µs |
//! | t-gmax (`tg`) | t-end if the peak is now, else 0: the moment is not known |
//! | PID | 0: it is not known |
//! | command | path of the executable |
//!
//! Lifetimes come from histograms with buckets of a factor of two, of which each block counts with the geometric middle:
//! a lifetime is off by a factor of 1.42 at most. Blocks are short-lived, for the viewer's choice of that name, up to 10 µs.
//!
//! Numbers are rounded to integers, each by less than one, so that their sum over all program points is the rounded sum of
//! the estimates. Of a difference of two snapshots, totals and t-end are those of the window, live is the growth (0 where it
//! shrank: the format has no negative values), the peak is that of the whole run, and ages are left out.

mod frames;

use std::io::{self, Write};

use serde::Serialize;
use unkai_core::{DURATION_BUCKETS, DurationHistogram, Estimate, Sampling, Site, Snapshot, aside};

use crate::numbered::{self, Rounding};
use crate::report::Report;
use crate::sites::add;
use frames::Frames;

/// How to write a profile: there is nothing to choose yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {}

impl Options {
    /// All call stacks.
    pub const fn new() -> Self {
        Self {}
    }
}

/// Writes `report` as JSON for DHAT's viewer.
///
/// Takes memory for a copy of the report's numbers and names while it runs.
///
/// # Errors
/// Those of `out`.
///
/// ```
/// use std::time::SystemTime;
/// use unkai_core::{Site, Snapshot};
/// use unkai_report::{Report, dhat};
///
/// let mut snapshot = Snapshot::empty(SystemTime::now());
/// let mut site = Site::new(2, vec![0x1234, 0x5678]);
/// site.live.bytes = 42.3;
/// snapshot.sites.push(site);
///
/// let mut out = Vec::new();
/// dhat::write(&Report::without_names(snapshot), &dhat::Options::new(), &mut out)?;
/// let document: serde_json::Value = serde_json::from_slice(&out)?;
/// assert_eq!(document["dhatFileVersion"], 2);
/// assert_eq!(document["pps"][0]["eb"], 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write(report: &Report, _options: &Options, out: &mut impl io::Write) -> io::Result<()> {
    aside(|| write_profile(report, out))
}

fn write_profile(report: &Report, out: &mut impl io::Write) -> io::Result<()> {
    let snapshot = report.snapshot();
    let mut frames = Frames::new(report);
    let stacks = numbered::stacks(
        report,
        |step| frames.number_of(step),
        |sums: &mut Sums, site| sums.add(site, snapshot),
    );
    let mut rounding = Roundings::default();
    let points = stacks
        .into_iter()
        .map(|(stack, sums)| rounding.point(&sums, stack))
        .collect();
    let end = snapshot.window.unwrap_or(snapshot.uptime);
    let end = u64::try_from(end.as_micros()).unwrap_or(u64::MAX);
    let totals = &snapshot.totals;
    let peak_is_now = u64::try_from(totals.live_bytes()) == Ok(totals.peak_live_bytes);
    let executable = report.modules().list().first();
    let document = Document {
        version: 2,
        mode: mode(snapshot, peak_is_now),
        verb: "Allocated",
        has_lifetimes: true,
        has_accesses: false,
        time_unit: "µs",
        million_time_units: "s",
        short_lived: 10,
        command: executable.map_or("(not known)", |module| &module.path),
        pid: 0,
        end,
        peak: if peak_is_now { end } else { 0 },
        points,
        frames: frames.into_texts(),
    };
    // JSON is written in very small pieces.
    let mut out = io::BufWriter::new(out);
    serde_json::to_writer(&mut out, &document)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// What the viewer shows first, with what numbers alone would not tell.
fn mode(snapshot: &Snapshot, peak_is_now: bool) -> String {
    let mut notes = Vec::new();
    if snapshot.window.is_some() {
        notes.push("change between two snapshots");
    }
    if snapshot.sampling.mode != Sampling::EveryBlock {
        notes.push("estimates from samples");
    }
    notes.push(match peak_is_now {
        true => "PID not known",
        false => "PID and time of t-gmax not known",
    });
    format!("rust-heap ({})", notes.join("; "))
}

/// Field names are DHAT's.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "dhatFileVersion")]
    version: u32,
    mode: String,
    verb: &'static str,
    #[serde(rename = "bklt")]
    has_lifetimes: bool,
    #[serde(rename = "bkacc")]
    has_accesses: bool,
    #[serde(rename = "tu")]
    time_unit: &'static str,
    #[serde(rename = "Mtu")]
    million_time_units: &'static str,
    #[serde(rename = "tuth")]
    short_lived: u32,
    #[serde(rename = "cmd")]
    command: &'a str,
    pid: u32,
    #[serde(rename = "te")]
    end: u64,
    #[serde(rename = "tg")]
    peak: u64,
    #[serde(rename = "pps")]
    points: Vec<Point>,
    #[serde(rename = "ftbl")]
    frames: Vec<String>,
}

#[derive(Serialize)]
struct Point {
    tb: u64,
    tbk: u64,
    tl: u64,
    mb: u64,
    mbk: u64,
    gb: u64,
    gbk: u64,
    eb: u64,
    ebk: u64,
    /// Innermost first.
    fs: Vec<usize>,
}

/// All sites with the same stack.
#[derive(Default)]
struct Sums {
    allocated: Estimate,
    live: Estimate,
    at_peak: Estimate,
    lifetimes_micros: f64,
}

impl Sums {
    fn add(&mut self, site: &Site, snapshot: &Snapshot) {
        add(&mut self.allocated, &site.allocated);
        add(&mut self.live, &site.live);
        add(&mut self.at_peak, &site.at_peak);
        let longest = snapshot.uptime.as_micros() as f64;
        self.lifetimes_micros += micros(&site.lifetimes, longest);
        // In a difference these are not of the window.
        if snapshot.window.is_none() {
            self.lifetimes_micros += micros(&site.ages, longest);
        }
    }
}

/// One for each field of a program point that is rounded.
#[derive(Default)]
struct Roundings {
    allocated: Pair,
    at_peak: Pair,
    live: Pair,
    lifetimes: Rounding,
}

/// Bytes and blocks.
#[derive(Default)]
struct Pair(Rounding, Rounding);

impl Pair {
    fn next(&mut self, estimate: &Estimate) -> (u64, u64) {
        (self.0.next(estimate.bytes), self.1.next(estimate.blocks))
    }
}

impl Roundings {
    /// The program point of a `stack` from the outermost frame to the innermost.
    fn point(&mut self, sums: &Sums, mut stack: Vec<usize>) -> Point {
        stack.reverse();
        let (tb, tbk) = self.allocated.next(&sums.allocated);
        let (gb, gbk) = self.at_peak.next(&sums.at_peak);
        let (eb, ebk) = self.live.next(&sums.live);
        Point {
            tb,
            tbk,
            tl: self.lifetimes.next(sums.lifetimes_micros),
            mb: gb.max(eb),
            mbk: gbk.max(ebk),
            gb,
            gbk,
            eb,
            ebk,
            fs: stack,
        }
    }
}

/// All durations of a histogram together, none of them beyond `longest`.
fn micros(histogram: &DurationHistogram, longest: f64) -> f64 {
    let middle = |bucket: usize| match bucket {
        0 => 0.0,
        bucket => 2_f64.powf(bucket as f64 - 0.5) / 1000.0,
    };
    (0..DURATION_BUCKETS)
        .map(|bucket| histogram.buckets[bucket] * middle(bucket).min(longest))
        .sum()
}

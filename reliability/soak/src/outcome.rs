//! What came of it: claims that hold or do not, figures, a table for people and a document for programs.

use std::fmt::{self, Write as _};

use serde::Serialize;

use crate::latency::Row;
use crate::rest::Rest;
use crate::trend::Trend;

/// All that a run found out.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) passed: bool,
    pub(crate) machine: String,
    pub(crate) version: &'static str,
    pub(crate) seed: u64,
    pub(crate) plant: Option<String>,
    pub(crate) seconds: f64,
    pub(crate) rounds: u64,
    /// Rounds at the beginning that count for no trend and no latency.
    pub(crate) warm_up_rounds: u64,
    /// The load average of the machine, lowest and highest: other programs' work included.
    pub(crate) load_average: [f64; 2],
    pub(crate) allocated_bytes: u64,
    pub(crate) allocated_blocks: u64,
    pub(crate) claims: Vec<Claim>,
    pub(crate) flat: Vec<Flat>,
    pub(crate) latency: Latency,
    pub(crate) at_rest: Vec<Rest>,
}

/// Something that must hold.
#[derive(Debug, Serialize)]
pub(crate) struct Claim {
    pub(crate) name: &'static str,
    pub(crate) holds: bool,
    /// By how much, or why not.
    pub(crate) figure: String,
}

/// A number that must not grow.
#[derive(Debug, Serialize)]
pub(crate) struct Flat {
    pub(crate) name: &'static str,
    pub(crate) is_bytes: bool,
    pub(crate) first: f64,
    pub(crate) last: f64,
    pub(crate) highest: f64,
    pub(crate) trend: Option<Trend>,
    /// A slope that is above this, with a confidence of 99.5 %, fails.
    pub(crate) tolerated_slope: f64,
    /// So much more growth each second would have failed this run.
    pub(crate) notices_from: f64,
    /// The highest value that passes: a tenth above the highest of the first third, and some more.
    pub(crate) bound: f64,
    pub(crate) holds: bool,
}

/// All rows, in nanoseconds with the clock's own time.
#[derive(Debug, Serialize)]
pub(crate) struct Latency {
    /// The clock's own time: median and p99.9 of an empty pair of readings, in nanoseconds.
    pub(crate) empty_pair: [f64; 2],
    pub(crate) bare: Vec<Row>,
    pub(crate) unkai: Vec<Row>,
    /// In a process without unkai.
    pub(crate) bare_apart: Vec<Row>,
}

/// What a number may do.
#[derive(Clone, Copy)]
pub(crate) struct Allowed {
    pub(crate) slope: f64,
    pub(crate) more: f64,
}

impl Flat {
    /// Judges one number of all rests that count.
    pub(crate) fn of(
        name: &'static str,
        is_bytes: bool,
        rests: &[Rest],
        number: impl Fn(&Rest) -> u64,
        allowed: Allowed,
    ) -> Self {
        let points: Vec<_> = rests
            .iter()
            .map(|rest| (rest.seconds, number(rest) as f64))
            .collect();
        let values = || points.iter().map(|point| point.1);
        let highest = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, f64::max);
        let early = highest(&mut values().take(points.len().div_ceil(3)));
        let bound = early * 1.1 + allowed.more;
        let trend = Trend::of(&points);
        let at_least = trend.map_or(f64::NEG_INFINITY, |trend| trend.at_least);
        let highest = highest(&mut values());
        Self {
            name,
            is_bytes,
            first: values().next().unwrap_or(0.0),
            last: values().next_back().unwrap_or(0.0),
            highest,
            trend,
            tolerated_slope: allowed.slope,
            notices_from: allowed.slope - at_least,
            bound,
            holds: at_least <= allowed.slope && highest <= bound,
        }
    }

    /// As high as this and no higher, whatever it was at first.
    pub(crate) fn bounded_by(self, bound: f64) -> Self {
        Self {
            bound,
            holds: self.highest <= bound,
            ..self
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\nsoak of unkai {} over mimalloc: {:.1} minutes, {} rounds ({} to warm up), seed {}\n\
             {}, load average {:.1} to {:.1}\n\
             {} blocks, {} allocated\n",
            self.version,
            self.seconds / 60.0,
            self.rounds,
            self.warm_up_rounds,
            self.seed,
            self.machine,
            self.load_average[0],
            self.load_average[1],
            digits(self.allocated_blocks),
            bytes(self.allocated_bytes as f64),
        )?;
        for claim in &self.claims {
            writeln!(
                f,
                "  {} {:<12} {}",
                mark(claim.holds),
                claim.name,
                claim.figure
            )?;
        }
        writeln!(
            f,
            "\nflat at rest     {:>11} {:>11} {:>11}  {:>23}  {:>14}",
            "first", "last", "highest", "slope each second, 99 %", "notices from"
        )?;
        for flat in &self.flat {
            write!(f, "{flat}")?;
        }
        writeln!(
            f,
            "  (slope: Theil–Sen, as the interval that holds it with 99 % confidence; so much more growth each second as the last\n\
             \x20  column says would have failed this run; - is judged by its bound alone)"
        )?;
        write!(f, "{}", self.latency)?;
        let failed: Vec<_> = self.failed().collect();
        match failed.is_empty() {
            true => writeln!(f, "\nPASSED"),
            false => writeln!(f, "\nFAILED: {}", failed.join(", ")),
        }
    }
}

impl Outcome {
    /// The names of what does not hold.
    pub(crate) fn failed(&self) -> impl Iterator<Item = &'static str> {
        let claims = self
            .claims
            .iter()
            .filter(|claim| !claim.holds)
            .map(|claim| claim.name);
        claims.chain(
            self.flat
                .iter()
                .filter(|flat| !flat.holds)
                .map(|flat| flat.name),
        )
    }
}

impl fmt::Display for Flat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |number: f64| {
            if self.is_bytes {
                bytes(number)
            } else {
                count(number)
            }
        };
        let slope = self.trend.map_or("too few rounds".to_owned(), |trend| {
            format!("{} to {}", show(trend.at_least), show(trend.at_most))
        });
        writeln!(
            f,
            "  {} {:<13}{:>11} {:>11} {:>11}  {slope:>23}  {:>14}",
            mark(self.holds),
            self.name,
            show(self.first),
            show(self.last),
            show(self.highest),
            if self.notices_from.is_finite() {
                show(self.notices_from)
            } else {
                "-".to_owned()
            },
        )
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [typical, rare] = self.empty_pair;
        let mut text = String::new();
        let columns = format!(
            "{:>7} {:>7} {:>7} {:>8} {:>8}",
            "p50", "p99", "p99.9", "max", "on core"
        );
        writeln!(
            text,
            "\none operation        {:<43} unkai over mimalloc\n{:19}{columns}   {columns}",
            "bare mimalloc", ""
        )?;
        let mut moment = "";
        for (bare, unkai) in self.bare.iter().zip(&self.unkai) {
            if bare.rounds.min(unkai.rounds) == 0 {
                continue;
            }
            if moment != bare.moment {
                moment = &bare.moment;
                writeln!(text, "  {moment}")?;
            }
            writeln!(
                text,
                "  {:<10} {:<6} {}   {}",
                bare.size,
                bare.operation,
                five(bare),
                five(unkai)
            )?;
        }
        writeln!(
            text,
            "  (medians over the rounds of each round's figure; all with the clock's own {typical:.0} ns, p99.9 {rare:.0} ns;\n\
             \x20  on core: the longest of all rounds during which the thread neither was preempted nor waited)"
        )?;
        f.write_str(&text)
    }
}

fn five(row: &Row) -> String {
    let spreads = [row.p50, row.p99, row.p99_9, row.longest];
    let [a, b, c, d] = spreads.map(|spread| time(spread.median));
    let on_core = time(row.longest_on_core);
    format!("{a:>7} {b:>7} {c:>7} {d:>8} {on_core:>8}")
}

fn mark(holds: bool) -> &'static str {
    if holds { "ok  " } else { "FAIL" }
}

/// A duration for people.
pub(crate) fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        0.0..1e3 => format!("{nanoseconds:.0} ns"),
        1e3..1e6 => format!("{:.1} µs", nanoseconds / 1e3),
        1e6..1e9 => format!("{:.1} ms", nanoseconds / 1e6),
        _ => format!("{:.1} s", nanoseconds / 1e9),
    }
}

/// Bytes for people, of either sign.
pub(crate) fn bytes(number: f64) -> String {
    let size = number.abs();
    match size {
        0.0..1e3 => format!("{number:.0} B"),
        1e3..1e6 => format!("{:.1} KiB", number / 1024.0),
        1e6..1e9 => format!("{:.2} MiB", number / f64::from(1 << 20)),
        _ => format!("{:.2} GiB", number / f64::from(1 << 30)),
    }
}

fn count(number: f64) -> String {
    if number == number.trunc() {
        format!("{number}")
    } else {
        format!("{number:.3}")
    }
}

/// `1,234,567`.
pub(crate) fn digits(number: u64) -> String {
    let plain = number.to_string();
    let mut text = String::new();
    for (index, digit) in plain.chars().enumerate() {
        if index > 0 && (plain.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

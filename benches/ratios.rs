//! What unkai costs: the time of a tracked heap over that of the bare one.
//!
//! ```text
//! cargo bench --bench ratios                        # all, about half a minute
//! cargo bench --bench ratios -- threads             # workloads with this in their name
//! cargo bench --bench ratios -- --rounds 301        # less noise
//! ```
//!
//! Bare and tracked heap take turns every few milliseconds, and the median is that of the ratios of neighbours: what
//! disturbs a machine for longer than that disturbs both. The bare heap also runs against itself, so that the table shows
//! how far noise alone takes a ratio from 1.00.

#[path = "workloads/sampling.rs"]
#[allow(dead_code, reason = "no bench uses all of it")]
mod sampling;
#[allow(dead_code, reason = "no bench uses all of it")]
mod workloads;

use std::io::{self, Write};
use std::time::Duration;

use sampling::{sampled_on_threads, sampled_pair, set_interval};
use workloads::heaps::{PAIRS, Pair, prepare};
use workloads::{WORKLOADS, Workload};

fn main() -> io::Result<()> {
    let request = Request::from_arguments();
    prepare();
    let mut out = io::stdout().lock();
    print_ratios(&request, &mut out)?;
    print_cost_of_a_sample(&request, &mut out)
}

struct Request {
    rounds: usize,
    filter: String,
}

impl Request {
    fn from_arguments() -> Self {
        let mut request = Self {
            // Without `--bench`, cargo only wants to see that it runs.
            rounds: 1,
            filter: String::new(),
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bench" => request.rounds = 61,
                "--rounds" => {
                    let rounds = arguments.next().and_then(|number| number.parse().ok());
                    request.rounds = rounds.filter(|&rounds| rounds > 0).unwrap_or_else(|| {
                        eprintln!("--rounds takes a number from 1");
                        std::process::exit(2)
                    });
                }
                filter => request.filter = filter.to_owned(),
            }
        }
        request
    }
}

fn print_ratios(request: &Request, out: &mut impl Write) -> io::Result<()> {
    let rounds = request.rounds;
    let turns = if rounds == 1 { "turn" } else { "turns" };
    writeln!(
        out,
        "\nTime of a heap tracked by unkai over that of the bare heap, median of {rounds} {turns}\n"
    )?;
    write!(out, "{:NAME$}", "")?;
    PAIRS
        .iter()
        .try_for_each(|pair| write!(out, "  │{:^1$}", pair.name, CELL - 1))?;
    write!(out, "\n{:NAME$}", "workload")?;
    PAIRS
        .iter()
        .try_for_each(|_| write!(out, "  │{:>9} {:>7} {:>7}", "bare", "unkai", "noise"))?;
    writeln!(out, "\n{}", rule())?;

    let mut all: [Vec<Comparison>; PAIRS.len()] = Default::default();
    for workload in &WORKLOADS {
        if !workload.name.contains(&request.filter) {
            continue;
        }
        write!(out, "{:NAME$}", workload.name)?;
        for (pair, all) in PAIRS.iter().zip(&mut all) {
            let comparison = compare(workload, pair, request.rounds);
            let Comparison { bare, ratio, noise } = comparison;
            write!(out, "  │{:>9} {ratio:>7.2} {noise:>7.2}", time(bare))?;
            out.flush()?;
            all.push(comparison);
        }
        writeln!(out)?;
    }
    if all[0].is_empty() {
        return writeln!(out, "(no workload has {:?} in its name)", request.filter);
    }
    write!(out, "{}\n{:NAME$}", rule(), "geometric mean")?;
    for all in &all {
        let ratio = geometric_mean(all.iter().map(|comparison| comparison.ratio));
        let noise = geometric_mean(all.iter().map(|comparison| comparison.noise));
        write!(out, "  │{:>9} {ratio:>7.2} {noise:>7.2}", "")?;
    }
    writeln!(
        out,
        "\n\n  bare   time of one operation (alloc and free, or a whole vector) on the bare heap\n  \
         unkai  the tracked heap over the bare one: 1.05 is 5 % more time in the heap\n  \
         noise  the bare heap over itself: 1.00 but for the noise of this machine"
    )
}

struct Comparison {
    bare: f64,
    ratio: f64,
    noise: f64,
}

/// Lets the bare heap, the tracked one, and the bare one again take turns, each time in another order.
fn compare(workload: &Workload, pair: &Pair, rounds: usize) -> Comparison {
    let heaps = [pair.bare, pair.tracked, pair.bare];
    for heap in &heaps {
        (workload.run)(heap, workload.slice / 4 + 1);
    }
    let (mut bare, mut ratios, mut noise) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let mut times = [0.0; 3];
        for turn in 0..3 {
            let which = (round + turn) % 3;
            times[which] = per_operation((workload.run)(&heaps[which], workload.slice), workload);
        }
        bare.push(times[0]);
        ratios.push(times[1] / times[0]);
        noise.push(times[2] / times[0]);
    }
    Comparison {
        bare: median(bare),
        ratio: median(ratios),
        noise: median(noise),
    }
}

/// The time of a pair with every block sampled, less that of a pair with none.
fn print_cost_of_a_sample(request: &Request, out: &mut impl Write) -> io::Result<()> {
    const PAIRS: u64 = 2_000;
    writeln!(out, "\nA sample and the free of its block (over mimalloc)")?;
    for depth in [0, 10, 30] {
        let mut costs = Vec::new();
        let mut frames = 0;
        for _ in 0..request.rounds.div_ceil(4) {
            let pair = |interval| {
                let sampled = sampled_pair(interval, depth, PAIRS);
                frames = sampled.frames;
                sampled.time.as_secs_f64() / PAIRS as f64
            };
            let [off, every] = [0, 1].map(pair);
            costs.push(every - off);
        }
        writeln!(out, "{:>9}  with {frames} frames", time(median(costs)))?;
    }
    let each = |threads| {
        let times = (0..request.rounds.div_ceil(4))
            .map(|_| sampled_on_threads(threads, 10, 10 * PAIRS).as_secs_f64());
        median(times.collect()) / (10 * PAIRS) as f64
    };
    for (threads, name) in [
        (1, "on a thread of its own"),
        (2, "on each of two threads at once, with the same stack"),
    ] {
        writeln!(out, "{:>9}  {name}", time(each(threads)))?;
    }
    set_interval(512 << 10);
    writeln!(
        out,
        "By default one block is sampled for every 512 KiB allocated.\n"
    )
}

fn per_operation(time: Duration, workload: &Workload) -> f64 {
    time.as_secs_f64() / workload.slice as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn geometric_mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    (values.map(f64::ln).sum::<f64>() / count).exp()
}

fn time(seconds: f64) -> String {
    match seconds * 1e9 {
        nanoseconds if nanoseconds < 99.95 => format!("{nanoseconds:.1} ns"),
        nanoseconds if nanoseconds < 999.5 => format!("{nanoseconds:.0} ns"),
        nanoseconds if nanoseconds < 999.5e3 => format!("{:.2} µs", nanoseconds / 1e3),
        nanoseconds => format!("{:.2} ms", nanoseconds / 1e6),
    }
}

fn rule() -> String {
    let cell = format!("──┼{}", "─".repeat(CELL - 1));
    format!("{}{}", "─".repeat(NAME), cell.repeat(PAIRS.len()))
}

/// Columns of a workload's name.
const NAME: usize = 40;
/// Columns of an allocator's three figures.
const CELL: usize = 26;

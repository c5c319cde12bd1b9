//! The table that the bench prints.

use std::io::{self, Write};
use std::process::ExitCode;

use unkai::UnwinderKind;
use unkai_core::internals::Way;

use crate::measure::{Bench, CACHES, Sample, frames, prepare, sampled_frames, ways_agree};
use crate::wash::Wash;
use crate::workloads::heaps::TRACKED;

/// Frames of the stacks that are measured.
const DEPTHS: [u32; 3] = [10, 30, 100];

pub(crate) fn run() -> ExitCode {
    prepare();
    // This many samples are enough to tell whether the build keeps frame pointers.
    crate::sampling::set_interval(1);
    let unwinding = TRACKED.snapshot().unwinding;
    let mut ways = vec![Way::Tables, Way::Portable];
    if unwinding.frame_pointers == Some(true) {
        ways.insert(0, Way::FramePointers);
    }
    for links in DEPTHS {
        if let Err(disagreement) = ways_agree(&ways, links) {
            eprintln!("{disagreement}");
            return ExitCode::FAILURE;
        }
    }
    // Without `--bench`, cargo only wants to see that it runs.
    let rounds = if std::env::args().any(|argument| argument == "--bench") {
        96
    } else {
        1
    };
    let bench = Bench {
        wash: Wash::new(),
        rounds,
    };
    let by = match unwinding.kind {
        UnwinderKind::FramePointers => "frame pointers",
        UnwinderKind::Tables => "unwind tables",
        _ => "the portable unwinder",
    };
    match print(&bench, &ways, by, &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn print(bench: &Bench, ways: &[Way], by: &str, out: &mut impl Write) -> io::Result<()> {
    let stacks = DEPTHS.map(|depth| links(depth, |links| frames(Way::Tables, 0, links).len()));
    let samples = DEPTHS.map(|depth| links(depth, sampled_frames));

    write!(out, "\n{:NAME$}", "microseconds")?;
    let names = ["warm", "far", "from memory", "all from memory"];
    names
        .iter()
        .try_for_each(|name| write!(out, "{name:>CELL$}"))?;
    writeln!(out)?;
    head(
        out,
        "one stack of … frames",
        stacks.map(|(_, frames)| frames),
    )?;
    for way in [Way::FramePointers, Way::Tables, Way::Portable] {
        let name = match way {
            Way::FramePointers => "by frame pointers",
            Way::Tables => "by unwind tables",
            Way::Portable => "by the portable unwinder",
        };
        if ways.contains(&way) {
            let times =
                CACHES.map(|caches| stacks.map(|(links, _)| bench.stack(way, caches, links)));
            line(out, name, times)?;
        } else {
            writeln!(
                out,
                "  {name:WIDE$} this build keeps no frame pointers",
                WIDE = NAME - 2
            )?;
        }
    }

    head(
        out,
        "one sample of … frames",
        samples.map(|(_, frames)| frames),
    )?;
    let times = CACHES.map(|caches| samples.map(|(links, _)| bench.sample(caches, links)));
    let each = |part: fn(&Sample) -> f64| times.map(|cell| cell.map(|sample| part(&sample)));
    line(out, "taken and recorded", each(|sample| sample.alloc))?;
    line(out, "the free of its block", each(|sample| sample.free))?;
    line(out, "together", each(|sample| sample.alloc + sample.free))?;

    writeln!(
        out,
        "\n  Stacks of samples are taken by {by} here. All ways found the same frames.\n\n  \
         warm             the same stack again and again\n  \
         far              {} MiB were read, then the program called its way in: its stack is in the nearest caches,\n  \
         {:16} what unkai needs is in the last one\n  \
         from memory      the same with {} MiB: what unkai needs is in no cache\n  \
         all from memory  these {} MiB were read where the stack is taken: the stack itself is in no cache either\n\n  \
         A sample is the time of a sampled block less that of one that is not, over mimalloc. The caches are washed before\n  \
         its allocation, and again before its free. Medians over {} chains. A load from memory takes {:.0} ns here.\n",
        bench.wash.own_mebibytes(),
        "",
        bench.wash.mebibytes(),
        bench.wash.mebibytes(),
        bench.rounds,
        bench.wash.load_from_memory(),
    )
}

/// Links of a chain for a stack of `depth` frames, and how many these are: there may be more around the chain.
fn links(depth: u32, frames: impl Fn(u32) -> usize) -> (u32, usize) {
    let around = (frames(depth) as u32).saturating_sub(depth);
    let links = depth.saturating_sub(around).max(1);
    (links, frames(links))
}

fn head(out: &mut impl Write, name: &str, frames: [usize; 3]) -> io::Result<()> {
    writeln!(out, "{}", "─".repeat(NAME + CACHES.len() * CELL))?;
    write!(out, "{name:NAME$}")?;
    for _ in CACHES {
        write!(out, "   ")?;
        frames
            .iter()
            .try_for_each(|frames| write!(out, "{frames:>7}"))?;
    }
    writeln!(out)
}

/// A line of times in nanoseconds.
fn line(out: &mut impl Write, name: &str, times: [[f64; 3]; 4]) -> io::Result<()> {
    write!(out, "  {name:WIDE$}", WIDE = NAME - 2)?;
    for cell in times {
        write!(out, "   ")?;
        cell.iter()
            .try_for_each(|time| write!(out, "{:>7.2}", time / 1e3))?;
    }
    writeln!(out)
}

/// Columns of a line's name.
const NAME: usize = 28;
/// Columns of three figures.
const CELL: usize = 24;

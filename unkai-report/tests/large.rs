//! Reports of 50,000 sites: how long each format takes, and how much memory.
//!
//! The bounds hold in release (`ci/large-reports.sh`); a build for tests gets ten times the time.

#[path = "support/peak.rs"]
mod peak;
#[path = "support/samples.rs"]
mod samples;

use std::io;
use std::time::{Duration, Instant};

use peak::PeakCounter;
use unkai_report::{Report, Value, folded, html, json, text};

#[global_allocator]
static HEAP: PeakCounter = PeakCounter::new();

const SITES: usize = 50_000;

/// Something that writes a report.
type Write = fn(&Report, &mut Counter) -> io::Result<()>;

/// Each format, and the most memory that it may take beside the report, in MiB.
const FORMATS: [(&str, Write, usize); 5] = [
    (
        "text",
        |report, out| text::write(report, &text::Options::new(), out),
        256,
    ),
    (
        "folded",
        |report, out| folded::write(report, &folded::Options::new(), out),
        128,
    ),
    (
        "folded, allocated blocks",
        |report, out| {
            folded::write(
                report,
                &folded::Options::new().value(Value::AllocatedBlocks),
                out,
            )
        },
        128,
    ),
    (
        "json",
        |report, out| json::write(report, &json::Options::new(), out),
        128,
    ),
    (
        "html",
        |report, out| html::write(report, &html::Options::new(), out),
        384,
    ),
];

#[test]
fn every_format_is_written_in_time_and_in_bounded_memory() {
    let report = samples::many_sites(SITES);
    let held = HEAP.live();
    println!("the report itself holds {:.1} MiB", mib(held));
    for (name, write, most_mib) in FORMATS {
        HEAP.reset_peak();
        let mut out = Counter(0);
        let started = Instant::now();
        write(&report, &mut out).unwrap_or_else(|error| panic!("{name}: {error}"));
        let took = started.elapsed();
        let extra = HEAP.peak() - held;
        println!(
            "{name:<26} {:>7.0} ms {:>8.1} MiB of memory {:>8.1} MiB of output",
            took.as_secs_f64() * 1e3,
            mib(extra),
            mib(out.0)
        );
        assert!(took < LIMIT, "{name} took {took:?}");
        assert!(extra < most_mib << 20, "{name} took {} MiB", mib(extra));
    }
}

#[cfg(debug_assertions)]
const LIMIT: Duration = Duration::from_secs(20);
#[cfg(not(debug_assertions))]
const LIMIT: Duration = Duration::from_secs(2);

fn mib(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Counts what is written, and keeps none of it.
struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

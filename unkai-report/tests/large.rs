//! Reports of 50,000 sites: how long each format takes, and how much memory. The time is that of the processor: what others do on
//! the machine is not in it.
//!
//! The bounds hold in release (`ci/large-reports.sh`); a build for tests gets ten times the time.

#[path = "support/peak.rs"]
mod peak;
#[path = "support/samples.rs"]
mod samples;

use std::io;
use std::time::Duration;

use peak::PeakCounter;
use unkai_report::{
    Report, dhat, flamegraph, folded, html, json, pprof, prometheus, speedscope, text,
};

#[global_allocator]
static HEAP: PeakCounter = PeakCounter::new();

const SITES: usize = 50_000;

/// Something that writes a report.
type Write = fn(&Report, &mut Counter) -> io::Result<()>;

/// Each format, and the most memory that it may take beside the report, in MiB.
const FORMATS: [(&str, Write, usize); 9] = [
    (
        "text",
        |report, out| text::write(report, &text::Options::new(), out),
        256,
    ),
    (
        "html",
        |report, out| html::write(report, &html::Options::new(), out),
        256,
    ),
    (
        "flame graph",
        |report, out| flamegraph::write(report, &flamegraph::Options::new(), out),
        384,
    ),
    (
        "folded",
        |report, out| folded::write(report, &folded::Options::new(), out),
        128,
    ),
    (
        "pprof",
        |report, out| pprof::write(report, &pprof::Options::new(), out),
        256,
    ),
    (
        "dhat",
        |report, out| dhat::write(report, &dhat::Options::new(), out),
        256,
    ),
    (
        "speedscope",
        |report, out| speedscope::write(report, &speedscope::Options::new(), out),
        256,
    ),
    (
        "prometheus",
        |report, out| prometheus::write(report, &prometheus::Options::new(), out),
        256,
    ),
    (
        "json",
        |report, out| json::write(report, &json::Options::new(), out),
        256,
    ),
];

#[test]
fn every_format_is_written_in_time_and_in_bounded_memory() {
    let report = samples::many_sites(SITES);
    let held = HEAP.live();
    println!("the report itself holds {:.1} MiB", mib(held));
    for (name, write, most_mib) in FORMATS {
        let mut fastest = Duration::MAX;
        let (mut extra, mut written) = (0, 0);
        // What others do to the processor's caches can only make it slower.
        for _ in 0..TRIES {
            HEAP.reset_peak();
            let mut out = Counter(0);
            let started = processor_time();
            write(&report, &mut out).unwrap_or_else(|error| panic!("{name}: {error}"));
            fastest = fastest.min(processor_time() - started);
            (extra, written) = (HEAP.peak() - held, out.0);
        }
        println!(
            "{name:<12} {:>7.0} ms {:>8.1} MiB of memory {:>8.1} MiB of output",
            fastest.as_secs_f64() * 1e3,
            mib(extra),
            mib(written)
        );
        assert!(fastest < LIMIT, "{name} took {fastest:?}");
        assert!(extra < most_mib << 20, "{name} took {} MiB", mib(extra));
    }
}

/// The fastest of so many counts.
#[cfg(debug_assertions)]
const TRIES: usize = 1;
#[cfg(not(debug_assertions))]
const TRIES: usize = 3;

#[cfg(debug_assertions)]
const LIMIT: Duration = Duration::from_secs(20);
#[cfg(not(debug_assertions))]
const LIMIT: Duration = Duration::from_secs(2);

/// What this thread has used of it: a report is written by one.
fn processor_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: there is room for the answer.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(failed, 0);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

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

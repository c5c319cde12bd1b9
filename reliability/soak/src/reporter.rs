//! Snapshots and reports in all formats, with names that are kept, as a program in production makes them.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use unkai::report::{
    NameCache, Report, dhat, flamegraph, folded, html, json, pprof, prometheus, speedscope, text,
};

use crate::Heap;
use crate::gate::Work;
use crate::latency::Moments;

/// Between two reports.
const EVERY: Duration = Duration::from_secs(2);

pub(crate) struct Reporter {
    heap: &'static Heap,
    names: NameCache,
    moments: Arc<Moments>,
    done: Arc<Done>,
    is_quiet: bool,
    due: Instant,
}

/// What was made so far.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) reports: AtomicU64,
    pub(crate) bytes: AtomicU64,
    /// The longest time that one took in all formats, in ms.
    pub(crate) longest: AtomicU64,
}

impl Reporter {
    pub(crate) fn new(heap: &'static Heap, moments: Arc<Moments>, done: Arc<Done>) -> Self {
        Self {
            heap,
            names: NameCache::new(),
            moments,
            done,
            is_quiet: false,
            due: Instant::now(),
        }
    }

    fn report(&self) {
        let start = Instant::now();
        let snapshot = self.heap.inner.snapshot();
        self.names.learn(&snapshot);
        let report = self.names.report(snapshot);
        let bytes = write_all(&report).expect("nothing is written anywhere");
        self.done.reports.fetch_add(1, Ordering::Relaxed);
        self.done.bytes.fetch_add(bytes, Ordering::Relaxed);
        let took = start.elapsed().as_millis() as u64;
        self.done.longest.fetch_max(took, Ordering::Relaxed);
    }
}

impl Work for Reporter {
    fn begin(&mut self, is_quiet: bool) {
        self.is_quiet = is_quiet;
        self.due = Instant::now() + EVERY / 2;
    }

    fn step(&mut self) {
        if Instant::now() < self.due {
            return thread::sleep(Duration::from_millis(20));
        }
        self.due += EVERY;
        self.moments.of_reports(|| {
            // In a quiet round totals are compared to the byte: so the count must know what is aside. Else it is left to
            // unkai's own code, as in production.
            if self.is_quiet {
                self.heap.aside(|| self.report());
            } else {
                self.report();
            }
        });
    }

    fn rest(&mut self) {}
}

/// Writes each format, and says how many bytes they were.
fn write_all(report: &Report) -> io::Result<u64> {
    let mut out = Counting { bytes: 0 };
    text::write(report, &text::Options::new(), &mut out)?;
    html::write(report, &html::Options::new(), &mut out)?;
    pprof::write(report, &pprof::Options::new(), &mut out)?;
    prometheus::write(report, &prometheus::Options::new(), &mut out)?;
    folded::write(report, &folded::Options::new(), &mut out)?;
    dhat::write(report, &dhat::Options::new(), &mut out)?;
    speedscope::write(report, &speedscope::Options::new(), &mut out)?;
    flamegraph::write(report, &flamegraph::Options::new(), &mut out)?;
    let mut document = Vec::new();
    json::write(report, &json::Options::new(), &mut document)?;
    let back = json::read(&document[..]).expect("what was written can be read");
    let (read, written) = (back.snapshot(), report.snapshot());
    assert_eq!(read.totals, written.totals, "JSON keeps totals");
    assert_eq!(
        read.sites.len(),
        written.sites.len(),
        "JSON keeps all sites"
    );
    Ok(out.bytes + document.len() as u64)
}

/// Counts what is written, and forgets it.
struct Counting {
    bytes: u64,
}

impl Write for Counting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

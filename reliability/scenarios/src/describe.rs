//! Reports, as a program makes them of itself. None of what one takes is the program's, and neither count knows of it.

use std::io::Write;

use unkai_global::Snapshot;
use unkai_report::{Report, json, pprof, text};

use crate::heap::Heap;

/// With names from debug information, or with addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// Takes a while, and memory.
    Found,
    /// Shows addresses.
    LeftOut,
}

/// A format to write.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Format {
    Json,
    Pprof,
    Text,
}

impl Format {
    pub(crate) const ALL: [Self; 3] = [Self::Json, Self::Pprof, Self::Text];

    fn write(self, report: &Report, out: &mut impl Write) {
        match self {
            Self::Json => json::write(report, &json::Options::new(), out),
            Self::Pprof => pprof::write(report, &pprof::Options::new(), out),
            Self::Text => text::write(report, &text::Options::new(), out),
        }
        .expect("a report into memory");
    }
}

/// Takes a snapshot and writes a report of it.
pub(crate) fn describe(heap: &dyn Heap, names: Names, format: Format) {
    heap.aside(&mut || {
        let mut out = Vec::new();
        format.write(&report(heap, names), &mut out);
        assert!(!out.is_empty(), "an empty report");
    });
}

/// Takes a snapshot, writes a report of it without names, reads that again, and has `check` look at what was read.
pub(crate) fn describe_and_check(heap: &dyn Heap, check: impl Fn(&Snapshot)) {
    heap.aside(&mut || {
        let mut out = Vec::new();
        Format::Json.write(&report(heap, Names::LeftOut), &mut out);
        let read = json::read(&out[..]).expect("what was written can be read");
        check(read.snapshot());
    });
}

/// Takes a snapshot and writes it in every format; returns the text.
pub(crate) fn describe_fully(heap: &dyn Heap, names: Names) -> String {
    let mut written = Vec::new();
    heap.aside(&mut || {
        let report = report(heap, names);
        Format::Json.write(&report, &mut std::io::sink());
        Format::Pprof.write(&report, &mut std::io::sink());
        Format::Text.write(&report, &mut written);
    });
    String::from_utf8(written).expect("text")
}

fn report(heap: &dyn Heap, names: Names) -> Report {
    let snapshot = heap.bare_snapshot();
    match names {
        Names::Found => Report::new(snapshot),
        Names::LeftOut => Report::without_names(snapshot),
    }
}

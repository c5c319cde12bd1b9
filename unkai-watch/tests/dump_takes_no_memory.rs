//! A whole program: a dump allocates nothing, works where every allocation fails, and says what a report says.
#![cfg(target_os = "linux")]

#[path = "support/sites.rs"]
mod sites;
#[path = "support/strict.rs"]
mod strict;

use std::alloc::System;
use std::fs::File;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use sites::allocate_at;
use strict::Strict;
use unkai_core::{Config, DurationHistogram, Snapshot, aside, process};
use unkai_global::UnkaiGlobalAlloc;
use unkai_report::{Report, json};
use unkai_watch::{Dump, DumpError};

#[global_allocator]
static HEAP: Strict<UnkaiGlobalAlloc<System>> = Strict::new(UnkaiGlobalAlloc::with_config(
    System,
    Config::new().sampling_interval(4 << 10),
));

/// Memory is of the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Blocks from some hundred call stacks; half of each stack's are freed again.
fn program() -> Vec<Box<[u8]>> {
    let mut kept = Vec::new();
    for path in 0..400 {
        for _ in 0..4 {
            allocate_at(path, 12, 5000, &mut kept);
        }
        kept.truncate(kept.len() - 2);
    }
    kept
}

fn read(dump: &Dump) -> Report {
    let file = File::open(dump.last().expect("one was written")).expect("it is there");
    json::read(file).expect("a dump is a document")
}

#[test]
fn a_dump_allocates_nothing() {
    let _alone = ALONE.lock();
    let _kept = program();
    let folder = tempfile::tempdir().expect("there is room");
    let mut dump = Dump::to(folder.path()).expect("it is a directory").keep(2);
    for _ in 0..4 {
        let (written, requests) = HEAP.requests_of(|| dump.write("test"));
        written.expect("there is room");
        assert_eq!(requests, 0);
    }
    assert!(read(&dump).snapshot().sites.len() > 400);
}

#[test]
fn a_dump_is_written_while_every_allocation_fails() {
    let _alone = ALONE.lock();
    let _kept = program();
    let folder = tempfile::tempdir().expect("there is room");
    let mut dump = Dump::to(folder.path()).expect("it is a directory");
    let written = HEAP.without_memory(|| dump.write("test"));
    written.expect("there is room");
    assert!(read(&dump).snapshot().sites.len() > 400);
}

#[test]
fn a_dump_that_fails_allocates_nothing_either() {
    let _alone = ALONE.lock();
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path().join("reports");
    std::fs::create_dir(&path).expect("there is room");
    let mut dump = Dump::to(&path).expect("it is a directory");
    std::fs::remove_dir(&path).expect("it is empty");
    let (written, requests) = HEAP.requests_of(|| dump.write("test"));
    assert!(
        matches!(written, Err(DumpError::Create { .. })),
        "{written:?}"
    );
    assert_eq!(requests, 0);
}

#[test]
fn a_dump_says_what_a_report_without_names_says() {
    let _alone = ALONE.lock();
    let _kept = program();
    let folder = tempfile::tempdir().expect("there is room");
    let mut dump = Dump::to(folder.path()).expect("it is a directory");
    // Nothing that happens here is in the numbers.
    aside(|| {
        let snapshot = || process::snapshot(&Config::new());
        // The test harness allocates on a thread of its own now and then.
        let quiet = (0..100).find_map(|_| {
            let before = snapshot();
            dump.write("test").expect("there is room");
            (comparable(&before) == comparable(&snapshot())).then_some(before)
        });
        let report = Report::without_names(quiet.expect("a moment without allocations"));
        let dumped = read(&dump);
        let (now, then) = (report.snapshot(), dumped.snapshot());
        assert!(then.taken_at >= now.taken_at && then.uptime >= now.uptime);
        assert!(then.resident_bytes.is_some());
        assert!(now.sites.iter().any(|site| site.ages.total() > 0.0));
        let alike = comparable(now);
        assert!(alike.sites.len() > 400 && alike.totals.live_bytes() > 4_000_000);
        assert!(comparable(then) == alike, "the numbers differ");
        assert_eq!(dumped.modules(), report.modules());
        assert!(dumped.symbols().is_empty());
    });
}

/// Without what a dump leaves out, and what is of its own moment.
fn comparable(snapshot: &Snapshot) -> Snapshot {
    let mut alike = snapshot.clone();
    let empty = Snapshot::empty(std::time::UNIX_EPOCH);
    alike.taken_at = empty.taken_at;
    alike.uptime = empty.uptime;
    alike.resident_bytes = None;
    for site in &mut alike.sites {
        site.ages = DurationHistogram::default();
    }
    alike
}

#[test]
fn dumps_of_a_program_that_allocates_meanwhile_are_whole() {
    let _alone = ALONE.lock();
    let folder = tempfile::tempdir().expect("there is room");
    let mut dump = Dump::to(folder.path()).expect("it is a directory");
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(Relaxed) {
                    drop(program());
                }
            });
        }
        let mut last = 0;
        for _ in 0..20 {
            dump.write("test").expect("there is room");
            let report = read(&dump);
            let allocated = report.snapshot().totals.allocated.bytes;
            assert!(allocated >= last, "totals only grow");
            last = allocated;
        }
        stop.store(true, Relaxed);
    });
}

//! A whole program whose table of call stacks is full, each of them as deep as is kept: how long a dump takes, and how
//! large it is.
#![cfg(target_os = "linux")]

#[path = "support/sites.rs"]
mod sites;

use std::alloc::System;
use std::fs;
use std::time::Instant;

use sites::allocate_at;
use unkai_core::Config;
use unkai_global::UnkaiGlobalAlloc;
use unkai_report::json;
use unkai_watch::Dump;

/// Nearly every block of the test is a sample.
#[global_allocator]
static HEAP: UnkaiGlobalAlloc<System> =
    UnkaiGlobalAlloc::with_config(System, Config::new().sampling_interval(1 << 10));

#[test]
fn a_dump_of_full_tables_takes_less_than_a_few_seconds_and_40_mb() {
    let mut kept = Vec::new();
    // Near its cap a table takes fewer and fewer samples: try again until it is full.
    for path in (0..1 << 15).cycle().take(1 << 21) {
        allocate_at(path, 62, 5000, &mut kept);
        kept.clear();
        if path == 0 && process_sites() >= SITES {
            break;
        }
    }
    let folder = tempfile::tempdir().expect("there is room");
    let start = Instant::now();
    let mut dump = Dump::to(folder.path()).expect("it is a directory");
    let made_ready = start.elapsed();
    let start = Instant::now();
    dump.write("full").expect("there is room");
    let took = start.elapsed();

    let document = fs::read(dump.last().expect("one was written")).expect("it is there");
    let report = json::read(&document[..]).expect("a dump is a document");
    let sites = &report.snapshot().sites;
    let frames: usize = sites.iter().map(|site| site.stack.len()).sum();
    println!(
        "{} sites, {frames} frames: {} bytes in {took:?} (made ready in {made_ready:?})",
        sites.len(),
        document.len()
    );
    assert!(sites.len() as u64 >= SITES && frames >= 60 * sites.len());
    assert!(document.len() < 40_000_000 && took.as_secs() < 5);
}

fn process_sites() -> u64 {
    unkai_core::process::survey().own_memory.sites.entries
}

/// The default cap, but for those that only the last samples would fill.
const SITES: u64 = 16_000;

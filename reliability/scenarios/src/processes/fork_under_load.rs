//! A program forks a thousand times (some hundred times where it samples densely) while all its other threads allocate, so each
//! child begins with whatever they were doing at that moment. Each allocates, samples, takes snapshots and makes reports, and
//! what these say is checked.

use std::ffi::c_void;
use std::hint::black_box;
use std::ptr;

use unkai_global::{Config, Snapshot};

use crate::bare_thread::BareThread;
use crate::child::{self, Progress};
use crate::describe::{Format, Names, describe, describe_and_check};
use crate::heap::{Heap, apart, totals_are_exact, totals_have_moved_alike};
use crate::load::{Load, churn};
use crate::under;

const FORKS: u64 = 1_000;
/// Where sampling is dense: then there are thousands of sites to report, each time.
const FORKS_WHERE_DENSE: u64 = if cfg!(debug_assertions) { 200 } else { 300 };
/// Where everything takes many times as long.
const FORKS_UNDER_A_TOOL: u64 = 25;
const THREADS: u32 = 3;

/// Naming reads the debug information of this program: a few children do.
const NAMES_IN_ONE_OF: u64 = 499;

pub(crate) fn play(heap: &'static dyn Heap) {
    let dense = heap.snapshot().sampling.mode != Config::new().get_sampling();
    let forks = if under::tool().is_some() {
        FORKS_UNDER_A_TOOL
    } else if dense {
        FORKS_WHERE_DENSE
    } else {
        FORKS
    };
    let load = Load::start(THREADS, 11);
    for number in 0..forks {
        child::play("under load", |progress| in_child(heap, number, progress));
        // The parent goes on allocating between two forks.
        churn(number, 50);
    }
    load.stop();
    totals_are_exact(heap, "in the parent");
}

fn in_child(heap: &'static dyn Heap, number: u64, progress: &Progress) {
    progress.at(&"the totals");
    let before = apart(heap);
    progress.at(&"allocating");
    // Not `churn`, whose lock another thread may have held.
    allocate_and_free(300);
    progress.at(&"allocating with every block a sample");
    heap.set_sampling_interval(1);
    // A thread follows a change after 64 KiB at most.
    drop(black_box(vec![1_u8; 128 << 10]));
    let mut kept = Vec::with_capacity(100);
    let live = live_at_all_sites(&heap.snapshot());
    kept.extend((0..100).map(|n| black_box(vec![1_u8; 1000 + n])));
    let kept_bytes: usize = kept.iter().map(Vec::capacity).sum();
    // Nothing is estimated then, so the sites must gain what is allocated, to the byte.
    let expected = live + kept_bytes as f64;
    assert_eq!(apart(heap), before, "in the child");
    progress.at(&"a snapshot");
    let snapshot = heap.snapshot();
    are_live("sites of the snapshot", &snapshot, expected);
    progress.at(&"a report");
    let totals = heap.usage();
    describe_and_check(heap, |report| {
        assert_eq!(report.totals, totals, "of the report");
        assert_eq!(report.sites.len(), snapshot.sites.len(), "in the report");
        are_live("sites of the report", report, expected);
    });
    drop(snapshot);
    progress.at(&"a report in another format");
    match number % 3 {
        0 => {}
        1 => describe(heap, Names::LeftOut, Format::Pprof),
        _ => describe(heap, Names::LeftOut, Format::Text),
    }
    if number % NAMES_IN_ONE_OF == 1 {
        progress.at(&"a report with names");
        describe(heap, Names::Found, Format::ALL[number as usize % 3]);
    }
    if number.is_multiple_of(10) && heap.children_may_start_threads() {
        progress.at(&"a thread of its own");
        BareThread::start(allocate, 100).join();
    }
    progress.at(&"freeing");
    drop(kept);
    heap.set_sampling_interval(512 << 10);
    allocate_and_free(300);
    progress.at(&"the totals at the end");
    totals_have_moved_alike(heap, before);
    assert_eq!(heap.nested(), 0, "unkai allocated within unkai");
}

extern "C" fn allocate(blocks: *mut c_void) -> *mut c_void {
    allocate_and_free(blocks.addr());
    ptr::null_mut()
}

fn allocate_and_free(blocks: usize) {
    let mut kept = Vec::new();
    for size in 1..=blocks {
        kept.push(black_box(vec![1_u8; size * 37]));
        if size.is_multiple_of(3) {
            drop(kept.swap_remove(size / 7));
        }
    }
}

fn live_at_all_sites(snapshot: &Snapshot) -> f64 {
    snapshot.sites.iter().map(|site| site.live.bytes).sum()
}

fn are_live(what: &str, snapshot: &Snapshot, expected: f64) {
    let live = live_at_all_sites(snapshot);
    // Sums of floating-point numbers over some thousands of sites.
    assert!(
        (live - expected).abs() < 1.0,
        "{what} have {live} live bytes, not {expected}"
    );
}

//! Trackers on their own: no global allocator, no real heap, several "threads" on one.
//!
//! [`Bench`] plays the façade's part: it counts on the cells first and goes to the tracker when they say so. The heap
//! under it hands out numbers, which nobody looks behind.

#![allow(clippy::disallowed_macros, reason = "tests print")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "the bench speaks for both of its branches"
)]

use std::alloc::Layout;
use std::cell::Cell;
use std::collections::HashMap;
use std::hint::black_box;

use super::*;
use crate::heap::Heap;
use crate::probe::unwind::Registers;
use crate::seed::seed;
use crate::snapshot::{Estimate, Sampling, Site, Snapshot};

mod garbage_stacks;
mod jumping_clock;
mod own_memory;
mod program;
mod random_programs;
mod refusals;
mod widening;

/// A heap of numbers: every block has an address of its own that was never used before.
#[derive(Debug, Default)]
struct Numbers {
    next: Cell<usize>,
    refuse: Cell<bool>,
}

// SAFETY: nobody reads or writes what these addresses point to: the tests below never reallocate.
unsafe impl Heap for Numbers {
    unsafe fn alloc(&self, layout: Layout, _zeroed: bool) -> *mut u8 {
        if self.refuse.get() {
            return std::ptr::null_mut();
        }
        let start = (self.next.get().max(1 << 20)).next_multiple_of(layout.align().max(16));
        self.next.set(start + layout.size());
        std::ptr::without_provenance_mut(start)
    }

    unsafe fn dealloc(&self, _block: *mut u8, _layout: Layout) {}

    unsafe fn realloc(&self, _block: *mut u8, _layout: Layout, _new_size: usize) -> *mut u8 {
        unreachable!("these tests do not reallocate")
    }
}

/// A tracker with one registered thread.
struct Bench {
    tracker: Tracker,
    heap: Numbers,
    config: Config,
}

impl Bench {
    fn new(config: Config) -> Self {
        let bench = Self {
            tracker: Tracker::new(),
            heap: Numbers::default(),
            config,
        };
        assert!(bench.tracker.start(&config));
        bench
    }

    fn thread(&self) -> &Cells {
        self.tracker
            .acquire_cells(&self.config)
            .expect("cells for a test")
    }

    #[inline(never)]
    fn alloc(&self, cells: &Cells, size: usize) -> *mut u8 {
        let layout = Layout::from_size_align(size, 8).unwrap();
        // SAFETY: the layout is not empty.
        unsafe {
            if cells.count_alloc(size) {
                let registers = Registers::capture();
                let caller = Caller {
                    heap: &self.heap,
                    cells,
                    registers: &registers,
                };
                self.tracker.alloc(&caller, layout, false)
            } else {
                self.heap.alloc(layout, false)
            }
        }
    }

    fn free(&self, cells: &Cells, block: *mut u8, size: usize) {
        let layout = Layout::from_size_align(size, 8).unwrap();
        // SAFETY: the block came from `alloc` with this size.
        unsafe {
            if cells.count_dealloc(block as usize, size, 8) {
                let registers = Registers::capture();
                let caller = Caller {
                    heap: &self.heap,
                    cells,
                    registers: &registers,
                };
                self.tracker.dealloc(&caller, block, layout);
            } else {
                self.heap.dealloc(block, layout);
            }
        }
    }
}

const SIZES: [usize; 8] = [8, 64, 100, 1_000, 5_000, 70_000, 600_000, 8 << 20];
const BYTES_OF_A_SITE: usize = 4 << 20;

/// Allocates blocks of `SIZES[N]` from a call site of its own, and frees every other one.
#[inline(never)]
fn site<const N: usize>(bench: &Bench, cells: &Cells, part: usize) -> Truth {
    let size = SIZES[N];
    let blocks = (BYTES_OF_A_SITE / part / size).max(1);
    let mut addresses = Vec::with_capacity(blocks);
    // A loop, not an iterator, and not unrolled: the call must be in this very function, and there once.
    for _ in 0..black_box(blocks) {
        addresses.push(bench.alloc(cells, size));
    }
    let mut freed = 0;
    for &block in addresses.iter().step_by(2) {
        bench.free(cells, block, size);
        freed += 1;
    }
    black_box(N);
    Truth {
        allocated: blocks as f64,
        live: (blocks - freed) as f64,
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Truth {
    allocated: f64,
    live: f64,
}

type SiteFn = fn(&Bench, &Cells, usize) -> Truth;
const SITES: [SiteFn; 8] = [
    site::<0>, site::<1>, site::<2>, site::<3>, site::<4>, site::<5>, site::<6>, site::<7>,
];

/// The estimates of each call site: allocated and live.
fn by_call_site(snapshot: &Snapshot) -> HashMap<usize, (Estimate, Estimate)> {
    by_function(snapshot, &SITES.map(|site| site as usize))
}

/// The estimates of each function that allocates, by its place among `starts`: allocated and live.
fn by_function(snapshot: &Snapshot, starts: &[usize]) -> HashMap<usize, (Estimate, Estimate)> {
    let mut estimates = HashMap::new();
    for Site {
        stack,
        allocated,
        live,
        ..
    } in &snapshot.sites
    {
        // The function that starts last before the innermost return address.
        let start = |index: &usize| starts[*index] as u64;
        let caller = (0..starts.len())
            .filter(|index| start(index) <= stack[0])
            .max_by_key(start);
        let known = estimates.insert(caller.expect("a known call site"), (*allocated, *live));
        assert!(known.is_none(), "one call site, two sites");
    }
    estimates
}

/// Sums over many runs of how far an estimate was off, in standard errors and in intervals.
#[derive(Debug, Default)]
struct Score {
    runs: f64,
    errors: f64,
    squares: f64,
    covered: f64,
}

impl Score {
    fn add(&mut self, estimate: f64, half_interval: f64, truth: f64) {
        let error = estimate - truth;
        self.runs += 1.0;
        self.errors += error;
        self.squares += error * error;
        // Fixed-point sums: a 1/256 of a byte or so for each sample is no error.
        self.covered += f64::from(error.abs() <= half_interval + 1e-6 * truth);
    }

    /// The mean error in standard errors of the mean.
    fn z(&self) -> f64 {
        let mean = self.errors / self.runs;
        let deviation = (self.squares / self.runs - mean * mean).max(0.0).sqrt();
        if deviation == 0.0 {
            0.0
        } else {
            mean / (deviation / self.runs.sqrt())
        }
    }
}

/// How far off four estimates of each call site were, over many runs.
#[derive(Debug, Default)]
struct Scores(HashMap<(usize, &'static str), Score>);

impl Scores {
    /// Adds the estimates of call site `index`, allocated and live, of a run with this `truth`.
    fn add(&mut self, index: usize, size: f64, estimates: (Estimate, Estimate), truth: Truth) {
        let (allocated, live) = estimates;
        for (name, value, half_interval, truth) in [
            (
                "allocated bytes",
                allocated.bytes,
                allocated.bytes_error_95(),
                truth.allocated * size,
            ),
            (
                "allocated blocks",
                allocated.blocks,
                allocated.blocks_error_95(),
                truth.allocated,
            ),
            (
                "live bytes",
                live.bytes,
                live.bytes_error_95(),
                truth.live * size,
            ),
            (
                "live blocks",
                live.blocks,
                live.blocks_error_95(),
                truth.live,
            ),
        ] {
            self.0
                .entry((index, name))
                .or_default()
                .add(value, half_interval, truth);
        }
    }

    /// Means: each lies within three standard errors of the truth. Coverage: over all sites with an error to cover, from
    /// 93 % to 97 %.
    fn check(&self, sizes: &[usize]) {
        let (mut covered, mut all) = (0.0, 0.0);
        assert_eq!(self.0.len(), 4 * sizes.len());
        for ((index, name), score) in &self.0 {
            let (z, share) = (score.z(), score.covered / score.runs);
            println!(
                "{:>8} B, {name:<16}: mean off by {z:+.2} standard errors, {share:.3} covered",
                sizes[*index]
            );
            assert!(
                z.abs() <= 3.0,
                "{name} of blocks of {} bytes: off by {z} standard errors",
                sizes[*index]
            );
            // Where nearly every block is sampled there is no error to cover.
            if sizes[*index] < 500_000 {
                covered += score.covered;
                all += score.runs;
            }
        }
        let share = covered / all;
        println!("{share:.4} of {all} intervals cover the truth");
        assert!(
            (0.93..=0.97).contains(&share),
            "{share} of the 95 % intervals cover the truth"
        );
    }
}

/// Runs the workload `runs` times with seeds of its own, under each of `intervals` in turn, and checks mean and coverage.
///
/// Means: each of 32 lies within three standard errors of the truth; a right estimator fails that for a random seed with a
/// probability of 8 %, for the fixed seeds always or never. Coverage: over all sites with an error to cover, from 93 % to
/// 97 %.
fn estimates_are_unbiased(intervals: &[u64], runs: u64) {
    let mut scores = Scores::default();
    for seed in 0..runs {
        let config = Config::new()
            .sampling_interval(intervals[0])
            .seed(seed * 7919 + 17);
        let bench = Bench::new(config);
        let cells = bench.thread();
        let mut truths = [Truth::default(); SITES.len()];
        for &interval in intervals {
            bench
                .tracker
                .set_plan(Plan::new(Sampling::Bytes { interval }));
            for (truth, site) in truths.iter_mut().zip(SITES) {
                let part = site(&bench, cells, 1);
                truth.allocated += part.allocated;
                truth.live += part.live;
            }
        }
        let estimates = by_call_site(&bench.tracker.snapshot());
        for (index, truth) in truths.iter().enumerate() {
            let estimates = estimates.get(&index).copied().unwrap_or_default();
            scores.add(index, SIZES[index] as f64, estimates, *truth);
        }
    }
    scores.check(&SIZES);
}

#[test]
fn estimates_are_unbiased_and_intervals_cover_the_truth() {
    estimates_are_unbiased(&[64 << 10], 300);
}

#[test]
fn estimates_stay_unbiased_when_the_interval_changes() {
    estimates_are_unbiased(&[64 << 10, 16 << 10, 200 << 10, 40 << 10], 150);
}

#[test]
fn every_block_sampled_gives_exact_figures_for_each_site() {
    let bench = Bench::new(Config::new().sample_every_block().max_live_samples(1 << 21));
    let cells = bench.thread();
    let truths: Vec<Truth> = SITES.iter().map(|site| site(&bench, cells, 16)).collect();
    let estimates = by_call_site(&bench.tracker.snapshot());
    for (index, truth) in truths.iter().enumerate() {
        let (allocated, live) = estimates[&index];
        assert_eq!(
            (allocated.blocks, live.blocks),
            (truth.allocated, truth.live)
        );
        assert_eq!(live.bytes, truth.live * SIZES[index] as f64);
        assert_eq!((allocated.bytes_variance, live.blocks_variance), (0.0, 0.0));
    }
}

#[test]
fn one_in_n_estimates_blocks_and_leaves_out_the_small() {
    let config = Config::new()
        .sample_one_in(10)
        .sampling_threshold(64)
        .seed(4);
    let bench = Bench::new(config);
    let cells = bench.thread();
    for _ in 0..50_000 {
        bench.alloc(cells, 64);
        bench.alloc(cells, 65);
    }
    let snapshot = bench.tracker.snapshot();
    let blocks: f64 = snapshot
        .sites
        .iter()
        .map(|site| site.allocated.blocks)
        .sum();
    let error: f64 = snapshot
        .sites
        .iter()
        .map(|site| site.allocated.blocks_variance)
        .sum::<f64>()
        .sqrt();
    // Four standard errors: a right sampler fails with a probability of 1 in 16,000, for one seed.
    assert!(
        (blocks - 50_000.0).abs() < 4.0 * error,
        "{blocks} ± {error} of 50,000 eligible blocks"
    );
    assert_eq!(snapshot.totals.allocated.blocks, 100_000);
}

#[test]
fn two_trackers_do_not_mix() {
    let one = Bench::new(Config::new().sample_every_block());
    let other = Bench::new(Config::new().sampling_off());
    let (of_one, of_other) = (one.thread(), other.thread());
    one.alloc(of_one, 100);
    other.alloc(of_other, 7);
    assert_eq!(one.tracker.totals().allocated.bytes, 100);
    assert_eq!(other.tracker.totals().allocated.bytes, 7);
    assert_eq!(
        (
            one.tracker.snapshot().sites.len(),
            other.tracker.snapshot().sites.len()
        ),
        (1, 0)
    );
}

#[test]
fn a_refused_request_leaves_no_trace_where_it_is_looked_at() {
    for check_every_allocation in [true, false] {
        let config = Config::new().check_every_allocation(check_every_allocation);
        let bench = Bench::new(config);
        let cells = bench.thread();
        bench.heap.refuse.set(true);
        for size in [8, 1000, mark::LARGE - 1, mark::LARGE, 1 << 30] {
            let before = bench.tracker.totals().allocated;
            assert!(bench.alloc(cells, size).is_null());
            let counted = bench.tracker.totals().allocated.bytes - before.bytes;
            // Small requests that are not looked at stay counted, as documented.
            let may_stay = !check_every_allocation && size < mark::LARGE;
            assert!(counted == 0 || may_stay, "{size}: {counted}");
        }
    }
}

#[test]
fn a_pause_takes_no_samples_and_sees_frees() {
    let bench = Bench::new(Config::new().sample_every_block());
    let cells = bench.thread();
    let block = bench.alloc(cells, 100);
    bench.tracker.set_paused(true);
    bench.alloc(cells, 50);
    bench.free(cells, block, 100);
    let paused = bench.tracker.snapshot();
    assert!(paused.sampling.paused);
    assert_eq!(paused.sites.len(), 1);
    assert_eq!(
        (
            paused.sites[0].live.samples,
            paused.sites[0].allocated.samples
        ),
        (0, 1)
    );
    bench.tracker.set_paused(false);
    bench.alloc(cells, 50);
    assert_eq!(
        bench
            .tracker
            .snapshot()
            .sites
            .iter()
            .map(|site| site.live.samples)
            .sum::<i64>(),
        1
    );
}

#[test]
fn a_full_live_table_drops_samples_and_says_so() {
    let bench = Bench::new(
        Config::new()
            .sampling_interval(32 << 10)
            .max_live_samples(16)
            .seed(1),
    );
    let cells = bench.thread();
    let blocks: Vec<_> = (0..20_000).map(|_| bench.alloc(cells, 1000)).collect();
    let full = bench.tracker.snapshot();
    assert!(full.losses.of(Cause::LiveTableFull) > 100);
    assert_eq!(full.own_memory.live_blocks.entries, 16);
    blocks
        .into_iter()
        .for_each(|block| bench.free(cells, block, 1000));
    let empty = bench.tracker.snapshot();
    assert_eq!(empty.totals.live_bytes(), 0);
    assert_eq!(
        empty
            .sites
            .iter()
            .map(|site| site.live.samples)
            .sum::<i64>(),
        0
    );
}

/// A stack of its own for each number below 2^`bits`: each bit chooses between two functions.
fn branch(bench: &Bench, cells: &Cells, number: u32, bits: u32) {
    match (bits, number & 1) {
        (0, _) => drop(black_box(bench.alloc(cells, 10))),
        (_, 0) => left(bench, cells, number >> 1, bits - 1),
        _ => right(bench, cells, number >> 1, bits - 1),
    }
}

#[inline(never)]
fn left(bench: &Bench, cells: &Cells, number: u32, bits: u32) {
    branch(bench, cells, number, bits);
    black_box("left");
}

#[inline(never)]
fn right(bench: &Bench, cells: &Cells, number: u32, bits: u32) {
    branch(bench, cells, number, bits);
    black_box("right");
}

#[test]
fn full_tables_of_stacks_and_sites_keep_every_sample() {
    for config in [
        Config::new().max_stack_nodes(100),
        Config::new().max_sites(20),
    ] {
        let bench = Bench::new(config.sample_every_block());
        let cells = bench.thread();
        for number in 0..256 {
            branch(&bench, cells, number, 8);
        }
        let snapshot = bench.tracker.snapshot();
        let samples: i64 = snapshot.sites.iter().map(|site| site.live.samples).sum();
        assert_eq!(samples, 256, "no sample may be lost");
        let lost = snapshot.losses;
        if config.get_max_sites() == 20 {
            assert!(lost.of(Cause::SitesFull) > 0 && snapshot.sites.len() <= 20);
        } else {
            assert!(lost.of(Cause::StacksFull) > 0);
            assert!(snapshot.sites.iter().any(|site| site.prefix_only));
        }
    }
}

#[test]
fn stacks_are_cut_and_skipped_as_configured() {
    let whole = Bench::new(Config::new().sample_every_block());
    branch(&whole, whole.thread(), 0, 8);
    let stack = whole.tracker.snapshot().sites.remove(0).stack;

    let cut = Bench::new(
        Config::new()
            .sample_every_block()
            .max_frames(3)
            .skip_frames(2),
    );
    branch(&cut, cut.thread(), 0, 8);
    let snapshot = cut.tracker.snapshot();
    let site = &snapshot.sites[0];
    assert!(site.truncated && snapshot.losses.of(Cause::StackTruncated) == 1);
    assert_eq!(site.stack, stack[2..5]);
}

#[test]
fn lifetimes_and_ages_are_counted() {
    let bench = Bench::new(Config::new().sample_every_block());
    let cells = bench.thread();
    let block = bench.alloc(cells, 10);
    std::thread::sleep(std::time::Duration::from_millis(20));
    let young = bench.tracker.snapshot();
    let old = young.sites[0].ages.quantile(0.5).unwrap();
    assert!(old >= std::time::Duration::from_millis(20), "{old:?}");
    bench.free(cells, block, 10);
    let gone = bench.tracker.snapshot();
    assert_eq!(
        (gone.sites[0].ages.total(), gone.sites[0].lifetimes.total()),
        (0.0, 1.0)
    );
    assert!(gone.sites[0].lifetimes.quantile(0.5).unwrap() >= std::time::Duration::from_millis(20));
}

#[test]
fn a_difference_shows_what_happened_in_between() {
    let bench = Bench::new(Config::new().sample_every_block());
    let cells = bench.thread();
    let block = bench.alloc(cells, 10);
    let earlier = bench.tracker.snapshot();
    bench.free(cells, block, 10);
    for _ in 0..3 {
        bench.alloc(cells, 100);
    }
    let change = bench.tracker.snapshot().since(&earlier);
    assert_eq!(
        (change.totals.allocated.bytes, change.totals.freed.bytes),
        (300, 10)
    );
    let live: f64 = change.sites.iter().map(|site| site.live.bytes).sum();
    assert_eq!(live, 290.0);
    assert!(change.window.is_some());
}

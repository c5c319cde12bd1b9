//! A whole program whose live samples would fill their table more than once: sampling becomes sparser and denser again by
//! itself while four threads allocate, hand blocks over and free them. Nothing is lost, every block goes back as it was
//! taken, and the estimates agree with the exact totals.

mod support;

use std::thread::{self, ScopedJoinHandle};

use support::checking::Checking;
use support::outer::Outer;
use support::random::Random;
use unkai::{Cause, Config, CrowdedTable, Sampling, Snapshot, UnkaiGlobalAlloc};

const INTERVAL: u64 = 8 << 10;
const THREADS: u64 = 4;

#[global_allocator]
static HEAP: Outer<UnkaiGlobalAlloc<Checking>> = Outer::new(UnkaiGlobalAlloc::with_config(
    Checking::new(),
    Config::new()
        .sampling_interval(INTERVAL)
        .max_live_samples(2_048)
        .seed(23),
));

type Blocks = Vec<Vec<u8>>;

/// Some 10 MiB in blocks of up to 4 KiB, of which one in ten is resized.
fn grow(seed: u64) -> Blocks {
    let mut random = Random::new(seed);
    let block = |_| {
        let mut block = vec![1; 1 + random.below(4_096) as usize];
        if random.below(10) == 0 {
            block.resize(block.len() + random.below(2_000) as usize, 2);
        }
        block
    };
    (0..5_000).map(block).collect()
}

/// One wave: each thread grows, and another one frees what it has. `at_the_top` looks in between.
fn wave(seed: u64, at_the_top: impl FnOnce()) {
    thread::scope(|scope| {
        let grow = |thread| scope.spawn(move || grow(seed * THREADS + thread));
        let threads: Vec<_> = (0..THREADS).map(grow).collect();
        let blocks = threads.into_iter().map(ScopedJoinHandle::join);
        let blocks: Vec<Blocks> = blocks.map(|joined| joined.expect("no panic")).collect();
        at_the_top();
        for blocks in blocks {
            scope.spawn(|| drop(blocks));
        }
    });
}

/// Five standard errors, eight looks, one seed: a right profiler fails with a probability below 1 in 100,000.
fn estimates_agree(snapshot: &Snapshot) {
    let sites = || snapshot.sites.iter();
    for (exact, estimate, variance) in [
        (
            snapshot.totals.live_bytes() as f64,
            sites().map(|site| site.live.bytes).sum::<f64>(),
            sites().map(|site| site.live.bytes_variance).sum::<f64>(),
        ),
        (
            snapshot.totals.live_blocks() as f64,
            sites().map(|site| site.live.blocks).sum(),
            sites().map(|site| site.live.blocks_variance).sum(),
        ),
    ] {
        let error = variance.sqrt();
        assert!(
            (estimate - exact).abs() <= 5.0 * error,
            "{estimate} ± {error} for {exact}"
        );
    }
}

#[test]
fn sampling_follows_what_fits_and_nothing_is_lost() {
    for seed in 0..8 {
        wave(seed, || {
            let snapshot = HEAP.aside(UnkaiGlobalAlloc::snapshot);
            estimates_agree(&snapshot);
            let sampling = snapshot.sampling;
            let interval = INTERVAL;
            assert_eq!(sampling.set(), Sampling::Bytes { interval });
            // 40 MiB are 5,000 samples. Across the border of 32 KiB, below which blocks are not marked.
            let times = sampling.times_sparser();
            assert!((4..=1024).contains(&times), "{sampling:?}");
            let by = sampling.widened.map(|widened| widened.by);
            assert_eq!(by, Some(CrowdedTable::LiveSamples));
        });
    }
    // The table is all but empty now: what was set comes back with one of the next samples.
    let mut left = 10_000;
    while HEAP
        .aside(UnkaiGlobalAlloc::snapshot)
        .sampling
        .widened
        .is_some()
    {
        std::hint::black_box(vec![0_u8; 60_000]);
        left -= 1;
        assert!(
            left > 0,
            "{:?}",
            HEAP.aside(UnkaiGlobalAlloc::snapshot).sampling
        );
    }
    let snapshot = HEAP.aside(UnkaiGlobalAlloc::snapshot);
    for cause in [
        Cause::FreeMissed,
        Cause::LayoutMismatch,
        Cause::LiveTableFull,
    ] {
        assert_eq!(snapshot.losses.of(cause), 0, "{cause:?}");
    }
    assert!(snapshot.own_memory.live_blocks.entries < 200);
    assert_eq!(HEAP.nested(), 0);
}

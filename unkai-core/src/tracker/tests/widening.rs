//! Sampling near a cap: estimates stay right while the interval changes by itself, and no table fills.

use super::*;
use crate::widened::CrowdedTable;

type PlotFn = fn(&Bench, &Cells, usize) -> Vec<*mut u8>;
const PLOTS: [PlotFn; 4] = [plot::<0>, plot::<1>, plot::<2>, plot::<3>];
const PLOT_SIZES: [usize; 4] = [24, 300, 2_000, 20_000];

/// Allocates `blocks` blocks of `PLOT_SIZES[N]` from a call site of its own.
#[inline(never)]
fn plot<const N: usize>(bench: &Bench, cells: &Cells, blocks: usize) -> Vec<*mut u8> {
    let mut addresses = Vec::with_capacity(blocks);
    // A loop, not an iterator: the call must be in this very function.
    for _ in 0..blocks {
        addresses.push(bench.alloc(cells, PLOT_SIZES[N]));
    }
    black_box(N);
    addresses
}

/// What one run did.
#[derive(Debug, Default)]
struct Course {
    truths: [Truth; 4],
    /// Most doublings of the interval.
    most: u8,
    /// How often the interval became longer, and shorter.
    wider: u32,
    denser: u32,
    live: [Vec<*mut u8>; 4],
}

/// Four rounds, in each of which all plots grow in turn until the table of live samples would be full more than once, and
/// then lose three blocks in four.
fn grow_and_shrink(bench: &Bench, cells: &Cells, blocks: [usize; 4]) -> Course {
    let mut course = Course::default();
    for _ in 0..4 {
        let mut grown: [Vec<*mut u8>; 4] = Default::default();
        for _ in 0..16 {
            for (index, plot) in PLOTS.iter().enumerate() {
                let before = bench.tracker.control.widening().steps();
                grown[index].extend(plot(bench, cells, blocks[index] / 16));
                let after = bench.tracker.control.widening().steps();
                course.wider += u32::from(after > before);
                course.denser += u32::from(after < before);
                course.most = course.most.max(after);
            }
        }
        for (index, grown) in grown.into_iter().enumerate() {
            course.truths[index].allocated += grown.len() as f64;
            for (number, block) in grown.into_iter().enumerate() {
                if number % 4 == 0 {
                    course.truths[index].live += 1.0;
                    course.live[index].push(block);
                } else {
                    bench.free(cells, block, PLOT_SIZES[index]);
                }
            }
        }
    }
    course
}

/// Means: each of 16 lies within three standard errors of the truth; a right estimator fails that for a random seed with a
/// probability of 4 %, for the fixed seeds always or never. Coverage: from 93 % to 97 %.
fn estimates_are_unbiased_near_the_cap(config: Config, blocks: [usize; 4], runs: u64) {
    let mut scores = Scores::default();
    let starts = PLOTS.map(|plot| plot as usize);
    let (mut most, mut wider, mut denser) = (0, 0, 0);
    for seed in 0..runs {
        let bench = Bench::new(config.seed(seed * 6007 + 5));
        let cells = bench.thread();
        let course = grow_and_shrink(&bench, cells, blocks);
        assert!(course.most >= 3 && course.wider >= 4 && course.denser >= 1);
        most = most.max(course.most);
        wider += course.wider;
        denser += course.denser;
        let snapshot = bench.tracker.snapshot();
        assert_eq!(snapshot.losses.of(Cause::LiveTableFull), 0);
        let estimates = by_function(&snapshot, &starts);
        for (index, truth) in course.truths.iter().enumerate() {
            let estimates = estimates.get(&index).copied().unwrap_or_default();
            scores.add(index, PLOT_SIZES[index] as f64, estimates, *truth);
        }
        nothing_stays(&bench, cells, course);
    }
    println!("up to {most} doublings; {wider} steps wider, {denser} denser in {runs} runs");
    scores.check(&PLOT_SIZES);
}

/// Marked or not: each sampled block is found when it is freed.
fn nothing_stays(bench: &Bench, cells: &Cells, course: Course) {
    for (index, blocks) in course.live.into_iter().enumerate() {
        for block in blocks {
            bench.free(cells, block, PLOT_SIZES[index]);
        }
    }
    let empty = bench.tracker.snapshot();
    let live: i64 = empty.sites.iter().map(|site| site.live.samples).sum();
    assert_eq!((live, empty.own_memory.live_blocks.entries), (0, 0));
    assert_eq!(bench.tracker.tables.get().unwrap().live.excess(), 0);
}

#[test]
fn estimates_stay_unbiased_while_the_interval_widens_and_narrows() {
    // The same bytes from each plot. From 4 KiB on, across the border below which blocks are not marked.
    let blocks = PLOT_SIZES.map(|size| (2 << 20) / size);
    let config = Config::new()
        .sampling_interval(4 << 10)
        .max_live_samples(1024);
    estimates_are_unbiased_near_the_cap(config, blocks, 200);
}

#[test]
fn estimates_stay_unbiased_when_every_block_becomes_one_in_many() {
    let config = Config::new().sample_every_block().max_live_samples(2048);
    estimates_are_unbiased_near_the_cap(config, [1600; 4], 200);
}

#[test]
fn a_live_table_that_only_grows_does_not_fill() {
    let config = Config::new()
        .sample_every_block()
        .max_live_samples(256)
        .seed(3);
    let bench = Bench::new(config);
    let cells = bench.thread();
    plot::<0>(&bench, cells, 100_000);
    let snapshot = bench.tracker.snapshot();
    assert_eq!(snapshot.losses.of(Cause::LiveTableFull), 0);
    let table = snapshot.own_memory.live_blocks;
    assert!(table.entries < table.capacity, "{table:?}");
    // 100,000 is 192 + 4 × (2 + 4 + … + 8,192) + 34,000: thirteen steps, and it takes the fourteenth.
    let steps = bench.tracker.control.widening().steps();
    assert!((12..=16).contains(&steps), "{steps}");
}

#[test]
fn a_shrunken_live_table_brings_back_what_was_set() {
    let config = Config::new()
        .sample_every_block()
        .max_live_samples(256)
        .seed(8);
    let bench = Bench::new(config);
    let cells = bench.thread();
    let blocks = plot::<0>(&bench, cells, 1_000);
    let wide = bench.tracker.snapshot().sampling;
    let widened = wide.widened.expect("more blocks than fit");
    assert_eq!(widened.set, Sampling::EveryBlock);
    assert_eq!(widened.by, CrowdedTable::LiveSamples);
    let one_in = wide.times_sparser();
    assert!(
        one_in > 1 && wide.mode == Sampling::Blocks { one_in },
        "{wide:?}"
    );
    for block in blocks {
        bench.free(cells, block, PLOT_SIZES[0]);
    }
    // The next sample looks.
    let mut more = 0;
    while bench.tracker.snapshot().sampling.widened.is_some() {
        bench.alloc(cells, 8);
        more += 1;
        assert!(
            more < 100 * one_in,
            "still {:?}",
            bench.tracker.snapshot().sampling
        );
    }
    let back = bench.tracker.snapshot().sampling;
    assert_eq!((back.mode, back.times_sparser()), (Sampling::EveryBlock, 1));
}

#[test]
fn a_new_setting_is_widened_like_the_old_one() {
    let config = Config::new()
        .sample_every_block()
        .max_live_samples(256)
        .seed(2);
    let bench = Bench::new(config);
    let cells = bench.thread();
    plot::<0>(&bench, cells, 1_000);
    let times = bench.tracker.snapshot().sampling.times_sparser();
    assert!(times > 1);
    let interval = 100_000;
    bench
        .tracker
        .set_plan(Plan::new(Sampling::Bytes { interval }));
    let status = bench.tracker.snapshot().sampling;
    assert_eq!(status.set(), Sampling::Bytes { interval });
    let interval = interval * times;
    assert_eq!(status.mode, Sampling::Bytes { interval });
    bench.tracker.set_plan(Plan::new(Sampling::Off));
    let off = bench.tracker.snapshot().sampling;
    assert_eq!((off.mode, off.widened), (Sampling::Off, None));
}

#[test]
fn stacks_and_sites_widen_for_good_and_say_which() {
    for (config, by) in [
        (Config::new().max_stack_nodes(512), CrowdedTable::Stacks),
        (Config::new().max_sites(256), CrowdedTable::Sites),
    ] {
        let bench = Bench::new(config.sample_every_block().seed(6));
        let cells = bench.thread();
        for number in 0..512 {
            branch(&bench, cells, number, 9);
        }
        let status = bench.tracker.snapshot().sampling;
        assert_eq!(status.widened.map(|widened| widened.by), Some(by));
        let times = status.times_sparser();
        assert!((4..=256).contains(&times), "{status:?}");
    }
}

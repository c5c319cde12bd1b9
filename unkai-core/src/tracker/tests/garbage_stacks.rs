//! The unwinder answers with garbage: totals are exact all the same, samples are where they can be, and the rest is said.

use super::program::{Program, Refuses, random_step};
use super::*;
use crate::config::MAX_FRAMES;
use crate::probe::unwind::scripted;

const SAMPLES_AT_LEAST: u64 = 500;

/// Runs a program that samples every block, with these stacks.
fn run(config: Config, script: impl FnMut() -> Vec<u64> + 'static) -> Snapshot {
    let _stacks = scripted::stacks(script);
    let tracker = Tracker::new();
    let config = config.sample_every_block();
    let mut program = Program::new(&tracker, config, 1, Refuses::OneIn(30));
    let mut random = Random::new(9);
    (0..1500).for_each(|_| program.take(random_step(&mut random)));
    program.end()
}

/// What all sites say together is what was sampled: by a thread with cells, every block.
fn sums_up(snapshot: &Snapshot) {
    let sum = |part: fn(&Site) -> f64| snapshot.sites.iter().map(part).sum::<f64>();
    let lost = |cause| snapshot.losses.of(cause) as f64;
    let blocks = snapshot.totals.allocated.blocks as f64
        - lost(Cause::ThreadNotSampled)
        - lost(Cause::LiveTableFull);
    assert_eq!(sum(|site| site.allocated.blocks), blocks);
    assert!(blocks > SAMPLES_AT_LEAST as f64);
    assert!(sum(|site| site.allocated.bytes) <= snapshot.totals.allocated.bytes as f64);
    for site in &snapshot.sites {
        assert!(site.stack.len() <= MAX_FRAMES, "{site:?}");
    }
}

#[test]
fn no_stack_is_one_site_and_is_counted() {
    let snapshot = run(Config::new(), Vec::new);
    sums_up(&snapshot);
    assert!(snapshot.sites.len() == 1 && snapshot.sites[0].stack.is_empty());
    assert!(snapshot.losses.of(Cause::StackMissing) > SAMPLES_AT_LEAST);
}

#[test]
fn one_stack_again_and_again_is_one_site() {
    for address in [0, 1, 4096, 1 << 47, 0xffff_ffff_8000_0000, u64::MAX] {
        for depth in [1, 2, 64] {
            let snapshot = run(Config::new(), move || vec![address; depth]);
            sums_up(&snapshot);
            assert_eq!(snapshot.sites.len(), 1);
            assert_eq!(snapshot.sites[0].stack, vec![address; depth]);
            assert!(snapshot.losses.of(Cause::StackTruncated) == 0);
        }
    }
}

#[test]
fn stacks_that_never_end_are_cut() {
    for frames in [1, 2, 64, MAX_FRAMES] {
        let config = Config::new().max_frames(frames as u16).skip_frames(3);
        let snapshot = run(config, || (0..100_000).collect());
        sums_up(&snapshot);
        assert_eq!(snapshot.sites.len(), 1);
        let site = &snapshot.sites[0];
        assert!(site.truncated && site.stack.len() == frames && site.stack[0] == 3);
        assert!(snapshot.losses.of(Cause::StackTruncated) > SAMPLES_AT_LEAST);
    }
}

#[test]
fn stacks_that_are_skipped_whole_are_missing() {
    let config = Config::new().skip_frames(u16::MAX);
    let snapshot = run(config, || vec![7; 1000]);
    sums_up(&snapshot);
    assert!(snapshot.losses.of(Cause::StackMissing) > SAMPLES_AT_LEAST);
}

#[test]
fn stacks_that_change_each_time_fill_the_tables_and_are_said() {
    let first = seed(0x6a7b);
    for round in 0..8 {
        // Too small for steps: the tables fill.
        let config = Config::new().max_stack_nodes(255).max_sites(100);
        let mut random = Random::new(first + round);
        let snapshot = run(config, move || {
            let depth = random.next() % 300;
            let mut address = || match random.next() % 4 {
                0 => random.next(),
                1 => random.next() % 3,
                2 => u64::MAX - random.next() % 3,
                _ => 0x5555_5555_0000 + random.next() % 4096,
            };
            (0..depth).map(|_| address()).collect()
        });
        sums_up(&snapshot);
        let lost = |cause| snapshot.losses.of(cause);
        assert!(lost(Cause::StacksFull) > 0 && lost(Cause::StackTruncated) > 0);
        assert!(snapshot.own_memory.stacks.entries <= 255);
        assert!(snapshot.own_memory.sites.entries <= 100);
        assert!(snapshot.sites.iter().any(|site| site.prefix_only));
    }
}

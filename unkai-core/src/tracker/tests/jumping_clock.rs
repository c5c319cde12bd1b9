//! The clock jumps: no report tells nonsense, and nothing panics.

use std::time::Duration;

use super::program::{Program, Refuses, Step, random_step};
use super::*;
use crate::probe::clock::scripted;
use crate::snapshot::DurationHistogram;

/// Moments that clocks have been seen at, or could be.
fn jump(random: &mut Random, now: u64) -> u64 {
    match random.next() % 12 {
        0 => 0,
        1 => u64::MAX,
        2 => random.next(),
        3 => now.wrapping_sub(random.next() % 1_000_000),
        4 => i64::MAX as u64,
        5 => now,
        _ => now.wrapping_add(random.next() % 100_000),
    }
}

/// Both clocks jump as they like; all that is said of times is no longer than the profile is old.
#[test]
fn times_are_within_the_age_of_the_profile() {
    let first = seed(0xc10c);
    for round in 0..40 {
        let (mut ticks, mut uptime) = (Random::new(first + round), Random::new(!first - round));
        let (mut tick, mut time, mut latest) = (round << 30, 0u64, 0u64);
        let _clocks = scripted::clocks(
            move || {
                tick = jump(&mut ticks, tick);
                tick
            },
            move || {
                time = jump(&mut uptime, time);
                // The system's clock saturates where it steps back.
                latest = latest.max(time % (1 << 40));
                latest
            },
        );
        let tracker = Tracker::new();
        let config = Config::new().sample_every_block();
        let mut program = Program::new(&tracker, config, 1, Refuses::OneIn(20));
        let mut random = Random::new(round);
        for _ in 0..600 {
            program.take(random_step(&mut random));
            if random.next().is_multiple_of(32) {
                program.take(Step::Snapshot);
                check(&tracker.snapshot());
            }
        }
        check(&program.end());
    }
}

fn check(snapshot: &Snapshot) {
    let uptime = snapshot.uptime.as_nanos() as u64;
    let last = DurationHistogram::bucket_of(uptime);
    for site in &snapshot.sites {
        for histogram in [&site.ages, &site.lifetimes] {
            let beyond: f64 = histogram.buckets[last + 1..].iter().sum();
            assert_eq!(beyond, 0.0, "beyond {:?}", snapshot.uptime);
        }
    }
}

/// A difference of two snapshots whose clocks have run backwards has no time, and no negative one.
#[test]
fn a_difference_across_a_step_back_has_no_time() {
    let uptimes = [1_000_000_000_000, 5_000, 0];
    let mut next = 0;
    let _clocks = scripted::clocks(
        || 0,
        move || {
            next += 1;
            uptimes[(next / 8).min(2)]
        },
    );
    let tracker = Tracker::new();
    let config = Config::new();
    let mut program = Program::new(&tracker, config, 1, Refuses::Nothing);
    let mut random = Random::new(1);
    let mut earlier = tracker.snapshot();
    for _ in 0..20 {
        program.take(random_step(&mut random));
        let later = tracker.snapshot();
        let difference = later.since(&earlier);
        let window = difference.window.expect("a difference has one");
        assert!(window <= later.uptime.max(Duration::ZERO));
        assert!(difference.totals.allocated.blocks <= 1);
        earlier = later;
    }
    program.end();
}

//! Random programs against the naive model: all methods, refusals, pauses, other intervals, limits, snapshots. A program that
//! goes wrong is made as short as it goes before it is shown.
//!
//! `UNKAI_SEED=n` plays other programs.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::program::{Program, Refuses, Step, random_step};
use super::*;

/// One program, and the settings that it runs under.
#[derive(Clone, Copy, Debug)]
struct Setting {
    config: Config,
    threads: usize,
    refuses: Refuses,
    /// Whether totals are compared after each step, or now and then: they bring the peak up to date.
    compares: bool,
}

const STEPS: usize = 400;

fn random_setting(random: &mut Random) -> Setting {
    let mut below = |limit: u64| random.next() % limit;
    let config = Config::new()
        .seed(below(u64::MAX))
        .check_every_allocation(below(2) == 0)
        .max_frames(1 + below(20) as u16)
        .skip_frames(below(3) as u16)
        .sampling_threshold([0, 0, 0, 500][below(4) as usize]);
    // Tables that fill, and such that do not.
    let config = if below(2) == 0 {
        let config = config.max_live_samples(16 + below(300) as u32);
        config.max_sites(4).max_stack_nodes(16).max_threads(1)
    } else {
        config
    };
    let config = match below(5) {
        0 => config.sample_every_block(),
        1 => config.sample_one_in(1 + below(20)),
        2 => config.sampling_interval(1 + below(40_000)),
        _ => config,
    };
    let config = match below(4) {
        0 => config
            .limit(100_000 + below(4_000_000))
            .refuse_at_limit(true),
        1 => config.limit(1 + below(1 << 20)),
        _ => config,
    };
    Setting {
        config,
        threads: 1 + below(4) as usize,
        refuses: match below(3) {
            0 => Refuses::OneIn(2 + below(40)),
            _ => Refuses::Nothing,
        },
        compares: below(2) == 0,
    }
}

fn random_steps(random: &mut Random) -> Vec<Step> {
    let other_step = |random: &mut Random| {
        let mut below = |limit: u64| random.next() % limit;
        match below(5) {
            0 => Step::SetSampling(match below(5) {
                0 => Sampling::Off,
                1 => Sampling::EveryBlock,
                2 => Sampling::Blocks {
                    one_in: 1 + below(50),
                },
                _ => Sampling::Bytes {
                    interval: 1 + below(100_000),
                },
            }),
            1 => Step::SetPaused(below(3) == 0),
            2 => Step::SetLimit((below(3) > 0).then(|| below(5_000_000))),
            3 => Step::Snapshot,
            _ => Step::Compare,
        }
    };
    (0..STEPS)
        .map(|_| match random.next() % 12 {
            0 => other_step(random),
            _ => random_step(random),
        })
        .collect()
}

fn run(setting: &Setting, steps: &[Step]) -> u64 {
    let tracker = Tracker::new();
    assert!(tracker.start(&setting.config));
    let mut program = Program::new(&tracker, setting.config, setting.threads, setting.refuses);
    program.compares = setting.compares;
    steps.iter().for_each(|&step| program.take(step));
    program.compare();
    let refused = program.refused();
    program.end();
    refused
}

fn goes_wrong(setting: &Setting, steps: &[Step]) -> bool {
    catch_unwind(AssertUnwindSafe(|| run(setting, steps))).is_err()
}

/// Leaves out what the failure does not need: halves, quarters and so on.
fn shrunken(setting: &Setting, mut steps: Vec<Step>) -> Vec<Step> {
    let mut part = steps.len() / 2;
    while part > 0 {
        let mut start = 0;
        while start < steps.len() {
            let mut shorter = steps.clone();
            shorter.drain(start..(start + part).min(steps.len()));
            if goes_wrong(setting, &shorter) {
                steps = shorter;
            } else {
                start += part;
            }
        }
        part /= 2;
    }
    steps
}

#[test]
fn random_programs_agree_with_the_naive_count() {
    let first = seed(0x5eed);
    let (mut refused, mut failed) = (0, None);
    for seed in first..first + 300 {
        let mut random = Random::new(seed);
        let setting = random_setting(&mut random);
        let steps = random_steps(&mut random);
        match catch_unwind(AssertUnwindSafe(|| run(&setting, &steps))) {
            Ok(more) => refused += more,
            Err(_) => {
                failed = Some((seed, setting, steps));
                break;
            }
        }
    }
    if let Some((seed, setting, steps)) = failed {
        let steps = shrunken(&setting, steps);
        println!("seed {seed}, {setting:?}: {steps:#?}");
        run(&setting, &steps);
        panic!("it went wrong once, and not again");
    }
    assert!(refused > 1000, "{refused}");
}

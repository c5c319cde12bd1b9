//! The heap refuses: at each request of a run in turn, and by chance.

use super::program::{Program, Refuses, Step, random_step};
use super::*;

const STEPS: usize = 160;

/// The same run again and again, each time with another request that the heap refuses: totals agree with the naive ones
/// after each step, every block keeps its contents and goes back as it was taken, the request is granted when it is made
/// again, and in the end nothing is left.
fn each_request_may_be_refused(config: Config) {
    let steps = || {
        let mut random = Random::new(0xfa11);
        (0..STEPS).map(move |_| random_step(&mut random))
    };
    let run = |refuses| {
        let tracker = Tracker::new();
        let mut program = Program::new(&tracker, config, 2, refuses);
        steps().for_each(|step| program.take(step));
        program
            .blocks()
            .checked_sub(10)
            .expect("a run with some blocks");
        let (requests, allocated) = (program.requests(), program.allocated());
        let (refused, unseen) = (program.refused(), program.unseen);
        let losses = program.end().losses;
        for cause in [Cause::FreeMissed, Cause::LayoutMismatch] {
            assert_eq!(losses.of(cause), 0, "{refuses:?}: {cause:?}");
        }
        (requests, allocated, refused, unseen, losses)
    };
    let (requests, allocated, refused, ..) = run(Refuses::Nothing);
    assert!(requests >= 100 && refused == 0);
    let (mut all_refused, mut all_unseen, mut samples_refused) = (0, 0, 0);
    for number in 1..=requests {
        let (_, again, refused, unseen, losses) = run(Refuses::Request(number));
        let for_a_sample = losses.of(Cause::SampleRefused);
        // The program is told, or a sample is given up for it.
        assert_eq!(refused + for_a_sample, 1, "request {number}");
        if unseen == 0 {
            assert_eq!(again, allocated, "request {number}");
        }
        all_refused += refused;
        all_unseen += unseen;
        samples_refused += for_a_sample;
    }
    println!(
        "{requests} requests: {all_refused} refusals reached the program, {all_unseen} unseen"
    );
    let checks = config.get_check_every_allocation();
    assert_eq!(all_unseen == 0, checks || all_is_looked_at(&config));
    let marks = matches!(config.get_sampling(), Sampling::Bytes { interval } if interval < 1 << 19);
    assert_eq!(samples_refused > 0, marks, "{samples_refused}");
}

/// Where every block is a sample, every answer is looked at.
fn all_is_looked_at(config: &Config) -> bool {
    config.get_sampling() == Sampling::EveryBlock
}

#[test]
fn each_request_of_a_run_may_be_refused() {
    each_request_may_be_refused(Config::new().seed(1));
    each_request_may_be_refused(Config::new().seed(1).check_every_allocation(true));
}

#[test]
fn each_request_of_a_run_with_marked_samples_may_be_refused() {
    // The densest that marks: seeds differ in which blocks are samples.
    for seed in 1..4 {
        let config = Config::new().sampling_interval(32 << 10).seed(seed);
        each_request_may_be_refused(config);
        each_request_may_be_refused(config.check_every_allocation(true));
    }
}

#[test]
fn each_request_of_a_run_with_every_block_sampled_may_be_refused() {
    each_request_may_be_refused(Config::new().sample_every_block());
    each_request_may_be_refused(
        Config::new()
            .sample_every_block()
            .check_every_allocation(true),
    );
}

#[test]
fn requests_may_be_refused_by_chance() {
    for (seed, one_in) in [(1, 2), (2, 3), (3, 10), (4, 100)] {
        for interval in [1, 8 << 10, 32 << 10, 512 << 10] {
            for check in [false, true] {
                let config = Config::new()
                    .sampling_interval(interval)
                    .check_every_allocation(check)
                    .seed(seed);
                let tracker = Tracker::new();
                let mut program = Program::new(&tracker, config, 3, Refuses::OneIn(one_in));
                let mut random = Random::new(seed);
                (0..1000).for_each(|_| program.take(random_step(&mut random)));
                assert!(program.refused() > 600 / one_in / 2, "one in {one_in}");
                assert!(!check || program.unseen == 0);
                program.refuse(Refuses::Nothing);
                (0..100).for_each(|_| program.take(random_step(&mut random)));
                program.end();
            }
        }
    }
}

/// What no allocator grants is refused, and neither live bytes nor their peak have ever been that much, whatever the block
/// was before.
#[test]
fn a_refused_growth_is_in_no_peak() {
    for interval in [1, 32 << 10, 512 << 10] {
        for size in [8, 1000, mark::LARGE - 1, mark::LARGE, 1 << 20] {
            let config = Config::new()
                .sampling_interval(interval)
                .check_every_allocation(true)
                .seed(1);
            let tracker = Tracker::new();
            assert!(tracker.start(&config));
            tracker.set_alarm(Some(1 << 40));
            let mut program = Program::new(&tracker, config, 1, Refuses::Nothing);
            for thread in 0..2 {
                program.take(Step::Alloc {
                    thread,
                    size,
                    align: 8,
                    zeroed: false,
                });
                program.take(Step::Realloc {
                    thread,
                    block: thread,
                    size: isize::MAX as usize - 7,
                });
            }
            assert_eq!(program.refused(), 4);
            let wake = tracker.watcher().wait(std::time::Duration::ZERO);
            assert!(!wake.alarm, "no such growth came about");
            program.end();
        }
    }
}

/// While a thread asks for far too much again and again, others look at the totals: none sees what was not granted.
#[test]
fn what_is_being_asked_for_is_not_live_yet() {
    const TOO_MUCH: usize = 1 << 45;
    let config = Config::new();
    let tracker = Tracker::new();
    assert!(tracker.start(&config));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut program = Program::new(&tracker, config, 1, Refuses::Nothing);
            program.compares = false;
            program.take(Step::Alloc {
                thread: 0,
                size: 100_000,
                align: 8,
                zeroed: false,
            });
            for round in 0..100_000 {
                program.take(if round % 2 == 0 {
                    Step::Alloc {
                        thread: 0,
                        size: TOO_MUCH,
                        align: 8,
                        zeroed: false,
                    }
                } else {
                    Step::Realloc {
                        thread: 0,
                        block: 0,
                        size: TOO_MUCH,
                    }
                });
            }
            done.store(true, Ordering::Relaxed);
            program.end();
        });
        // What a look may be off by where the other thread is interrupted at the wrong moment.
        let most = 100_000 + 2 * QUANTUM;
        let mut looks = 0;
        while !done.load(Ordering::Relaxed) {
            let totals = tracker.totals();
            let live = totals.live_bytes();
            assert!((-QUANTUM..=most).contains(&live), "{live} at look {looks}");
            assert!(totals.peak_live_bytes <= most as u64, "{totals:?}");
            looks += 1;
        }
        // ThreadSanitizer sees what joining orders, and not what the end of the scope does.
        asking.join().unwrap();
        assert!(looks > 1000, "{looks}");
    });
}

//! unkai's own memory cannot be mapped, or is configured to be tiny: everything is counted, every block is right, and what
//! could not be recorded is said.

use super::program::{Program, Refuses, Step, random_step};
use super::*;
use crate::probe::unwind::scripted;
use crate::store::region::refused;
use crate::store::trie::NodeId;

const STEPS: u64 = 4000;

/// Steps that make all tables grow: more blocks come than go.
fn steps() -> impl Iterator<Item = Step> {
    let mut random = Random::new(0x77);
    (0..STEPS).map(move |_| match random_step(&mut random) {
        // Not too large, for they stay.
        Step::Alloc {
            thread,
            size,
            align,
            zeroed,
        } => Step::Alloc {
            thread,
            size: size.min(1000),
            align: align.min(64),
            zeroed,
        },
        other => other,
    })
}

/// Stacks that have little in common.
fn many_stacks() -> scripted::Scripted {
    let mut random = Random::new(3);
    scripted::stacks(move || (0..6).map(|_| 1 + random.next() % 5000).collect())
}

/// Runs with the mappings of these numbers refused; how many were asked for, and the last snapshot.
fn run(refused_mappings: std::ops::Range<u64>) -> (u64, Snapshot) {
    let _stacks = many_stacks();
    refused::refuse(refused_mappings);
    let tracker = Tracker::new();
    let config = Config::new()
        .sample_every_block()
        .max_live_samples(1 << 14)
        .max_stack_nodes(1 << 16)
        .max_sites(1 << 12);
    let mut program = Program::new(&tracker, config, 2, Refuses::Nothing);
    program.compares = false;
    for (number, step) in steps().enumerate() {
        program.take(step);
        if number % 64 == 0 {
            program.compare();
        }
    }
    let snapshot = program.end();
    let asked_for = refused::asked_for();
    refused::refuse(0..0);
    (asked_for, snapshot)
}

#[test]
fn each_mapping_of_a_run_may_be_refused() {
    let (all, snapshot) = run(0..0);
    assert_eq!(snapshot.losses.of(Cause::OwnMemoryRefused), 0);
    let samples = |snapshot: &Snapshot| -> i64 {
        let allocated = snapshot.sites.iter().map(|site| site.allocated.samples);
        allocated.sum()
    };
    assert!(all >= 12, "the tables grow: {all}");
    let all_samples = samples(&snapshot);
    let (mut without_tables, mut with_tables) = (0, 0);
    for number in 1..=all {
        // Once, and for good.
        for refused in [number..number + 1, number..u64::MAX] {
            let (_, snapshot) = run(refused.clone());
            let lost = snapshot.losses;
            // Where a level of the live table is refused, others may have room for what it was for: with luck, which is where
            // the blocks lie, for all of it.
            let is_counted = lost.of(Cause::OwnMemoryRefused) > 0;
            if !is_counted {
                assert_eq!(samples(&snapshot), all_samples, "{refused:?}");
            }
            // Nothing else is to blame.
            for cause in [Cause::LiveTableFull, Cause::StacksFull, Cause::SitesFull] {
                assert_eq!(lost.of(cause), 0, "{refused:?}: {cause:?}");
            }
            if snapshot.sites.is_empty() {
                without_tables += 1;
            } else {
                assert!(samples(&snapshot) > 400, "{refused:?}");
                with_tables += u32::from(is_counted);
            }
        }
    }
    assert!(without_tables >= 10 && with_tables >= 6);
}

#[test]
fn tables_of_the_smallest_sizes_lose_samples_and_nothing_else() {
    for interval in [1, 300, 3000] {
        let _stacks = many_stacks();
        let tracker = Tracker::new();
        let config = Config::new()
            .sampling_interval(interval)
            .max_threads(1)
            .max_frames(1)
            .max_stack_nodes(16)
            .max_sites(4)
            .max_live_samples(16);
        let mut program = Program::new(&tracker, config, 4, Refuses::OneIn(50));
        steps().for_each(|step| program.take(step));
        let snapshot = program.end();
        let lost = |cause| snapshot.losses.of(cause);
        assert!(lost(Cause::ThreadNotSampled) > 0);
        assert!(lost(Cause::LiveTableFull) > 0);
        assert!(lost(Cause::StackTruncated) > 0);
        assert!(lost(Cause::SitesFull) > 0 && snapshot.sites.len() <= 4);
        assert_eq!(lost(Cause::FreeMissed) + lost(Cause::LayoutMismatch), 0);
    }
}

/// Each table by itself, at the size of the one thing that it is for. (Settings allow no such sizes.)
#[test]
fn a_table_for_one_holds_one() {
    use crate::entered::Entered;
    use crate::store::trie::Interned;

    let inside = Entered::vouch();
    for capacity in [0, 1] {
        let trie = Trie::new(capacity).unwrap();
        let (mut spare, root) = (0, NodeId::ROOT);
        let Interned::Whole(node) = trie.intern(&inside, root, &[5], &mut spare) else {
            panic!("room for one frame");
        };
        let next = trie.intern(&inside, root, &[6], &mut spare);
        assert!(matches!(next, Interned::Prefix(NodeId::ROOT, _)));
        let next = trie.intern(&inside, root, &[6, 5], &mut spare);
        assert!(matches!(next, Interned::Prefix(prefix, _) if prefix == node));

        let sites = Sites::new(capacity).unwrap();
        assert_eq!(sites.of(&inside, &trie, node), None);
        assert!(sites.of(&inside, &trie, root).is_some());

        let live = Live::new(capacity).unwrap();
        assert_eq!(live.capacity(), u64::from(capacity));
        assert_eq!(live.taken(), 0);

        let pool = Pool::new(capacity).unwrap();
        assert_eq!(pool.acquire().is_some(), capacity == 1);
        assert!(pool.acquire().is_none());
    }
}

#[test]
fn settings_that_make_no_sense_say_so() {
    let refusal = |make: fn() -> Config| {
        let panic = std::panic::catch_unwind(make).expect_err("it makes no sense");
        *panic.downcast::<&str>().expect("a constant message")
    };
    for (make, words) in [
        (
            (|| Config::new().max_threads(0)) as fn() -> Config,
            "threads",
        ),
        (|| Config::new().max_sites(3), "sites"),
        (|| Config::new().max_stack_nodes(15), "stack nodes"),
        (|| Config::new().max_live_samples(15), "live samples"),
        (|| Config::new().max_frames(0), "no frames"),
        (|| Config::new().sampling_interval(0), "sampling_off"),
        (|| Config::new().sample_one_in(0), "zero"),
        (|| Config::new().limit(0), "zero"),
    ] {
        assert!(refusal(make).contains(words), "{words}");
    }
}

/// Threads that come all at once make the tables once, and count on them from the first operation on.
#[test]
fn threads_that_come_at_once_share_one_tracker() {
    const THREADS: usize = 6;
    for round in 0..100 {
        let tracker = Tracker::new();
        let gate = std::sync::Barrier::new(THREADS);
        let config = Config::new().seed(round).max_live_samples(16);
        std::thread::scope(|scope| {
            let threads = [(); THREADS].map(|()| {
                scope.spawn(|| {
                    gate.wait();
                    let mut program = Program::new(&tracker, config, 1, Refuses::Nothing);
                    program.compares = false;
                    let mut random = Random::new(round);
                    (0..20).for_each(|_| program.take(random_step(&mut random)));
                    program.free_all();
                })
            });
            // ThreadSanitizer sees what joining orders, and not what the end of the scope does.
            for thread in threads {
                thread.join().unwrap();
            }
        });
        let totals = tracker.totals();
        assert_eq!(totals.allocated, totals.freed);
        assert!(totals.allocated.blocks >= 5 * THREADS as u64);
        let snapshot = tracker.snapshot();
        assert_eq!(snapshot.own_memory.threads.entries, THREADS as u64);
        assert_eq!(snapshot.losses.of(Cause::OwnMemoryRefused), 0);
    }
}

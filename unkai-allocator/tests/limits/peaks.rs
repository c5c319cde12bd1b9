//! The peak is never below what was certainly held at once, and never above the bound that `Scope::peak` states.

use std::thread;

use unkai_allocator::Scope;

use crate::history::{Call, Clock, What, peaks};
use crate::support::Random;
use crate::tree::{DEPTHS, Tree};
use crate::turn::{Within, my_turn, seed};

/// The bound that is documented: this part of the true peak,
const PART: usize = 64;
/// and so many bytes for each other thread that charges at that moment.
const READY: usize = 64 << 10;

#[test]
fn on_one_thread_the_peak_is_exact_to_a_64th_after_every_step() {
    let _turn = my_turn();
    for seed in (0..40).map(seed) {
        let mut random = Random::new(seed);
        let depth = DEPTHS[seed as usize % 3];
        let limit = 1 << (14 + random.below(10));
        let tree = Tree::new(depth, limit);
        let leaf = &tree.levels[tree.leaves[0]].scope;
        let largest = 1 + random.below(limit / 8);
        let (mut held, mut used, mut highest) = (Vec::new(), 0, 0);
        for _ in 0..3000 {
            if random.below(100) < 55 {
                let bytes = 1 + random.below(largest);
                match leaf.charge(bytes) {
                    // The inner allocator refuses.
                    Ok(charge) if random.below(8) == 0 => drop(charge),
                    Ok(charge) => {
                        charge.keep();
                        held.push(bytes);
                        used += bytes;
                    }
                    Err(_) => {}
                }
            } else if let Some(bytes) = held.pop() {
                leaf.uncharge(bytes);
                used -= bytes;
            }
            highest = highest.max(used);
            for &place in &tree.levels[tree.leaves[0]].upwards {
                assert_peak(seed, &tree.levels[place].scope, (highest, highest), 0);
            }
        }
        held.into_iter().for_each(|bytes| leaf.uncharge(bytes));
        tree.assert_ends_at_zero();
    }
}

#[test]
fn on_four_threads_the_peak_is_within_its_bound_at_every_level() {
    let _turn = my_turn();
    let threads = 4;
    for seed in (0..6).map(seed) {
        for clock in Clock::both() {
            let depth = DEPTHS[seed as usize % 3];
            let tree = Tree::new(depth, 64 << 20);
            let calls: Vec<Call> = thread::scope(|scope| {
                let (tree, clock) = (&tree, &clock);
                let spawned: Vec<_> = (0..threads as u64)
                    .map(|number| scope.spawn(move || climb(tree, clock, seed * 100 + number)))
                    .collect();
                let joined = spawned.into_iter().map(|thread| thread.join().unwrap());
                joined.flatten().collect()
            });
            let mut error = 0;
            for (level, bounds) in tree.levels.iter().zip(peaks(&tree.places(), &calls)) {
                let beyond = assert_peak(seed, &level.scope, bounds, threads - 1);
                error = error.max(beyond);
            }
            println!(
                "seed {seed}, depth {depth}: {} calls, root's peak {}; at most {error} bytes above what may have been held",
                calls.len(),
                tree.root().peak()
            );
            tree.assert_ends_at_zero();
        }
    }
}

/// Rises in small and large steps, falls, and rises higher, here and there in the tree.
fn climb(tree: &Tree, clock: &Clock, seed: u64) -> Vec<Call> {
    let mut random = Random::new(seed);
    let (mut held, mut calls): (Vec<(usize, usize)>, Vec<Call>) = (Vec::new(), Vec::new());
    let within = Within::millis(1000);
    let mut chance = 60;
    for step in 0..6000 {
        if step % 500 == 0 {
            chance = 40 + random.below(30);
            if within.is_over() {
                break;
            }
        }
        let begin = clock.now();
        let (scope, bytes, what) = if random.below(100) < chance {
            let scope = tree.leaves[random.below(tree.leaves.len())];
            let bytes = 1 + random.size_up_to(8 << 10);
            let charge = tree.levels[scope].scope.charge(bytes);
            let charge = charge.expect("the limit is far away");
            if random.below(8) == 0 {
                drop(charge);
                (scope, bytes, What::Undone)
            } else {
                charge.keep();
                held.push((scope, bytes));
                (scope, bytes, What::Charge)
            }
        } else if !held.is_empty() {
            let (scope, bytes) = held.swap_remove(random.below(held.len()));
            tree.levels[scope].scope.uncharge(bytes);
            (scope, bytes, What::Uncharge)
        } else {
            continue;
        };
        let end = clock.now();
        calls.push(Call {
            begin,
            end,
            scope,
            bytes,
            what,
        });
    }
    for (scope, bytes) in held {
        let begin = clock.now();
        tree.levels[scope].scope.uncharge(bytes);
        calls.push(Call {
            begin,
            end: clock.now(),
            scope,
            bytes,
            what: What::Uncharge,
        });
    }
    calls
}

/// Returns by how much the peak is above what may have been held.
#[track_caller]
fn assert_peak(
    seed: u64,
    scope: &Scope,
    (certain, possible): (usize, usize),
    others: usize,
) -> usize {
    let peak = scope.peak();
    let bound = possible + possible / PART + others * READY;
    assert!(
        (certain..=bound).contains(&peak),
        "seed {seed}, {}: peak {peak}, certainly held {certain}, perhaps {possible}, bound {bound}",
        scope.path()
    );
    peak.saturating_sub(possible)
}

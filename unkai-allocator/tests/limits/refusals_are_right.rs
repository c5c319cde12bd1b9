//! A refusal means that at some moment during the call the bytes in use and the request were together above the limit of
//! the scope that is named: checked from a record of all calls, after the fact.
//!
//! # Why the check is sound
//! Let a refusal be right at some moment *t* of its call. Every charge that was in effect at *t* had begun by then, and its
//! uncharge had not ended. The check adds up just those at each time, and perhaps others: so at the time that *t* has in the
//! record it finds at least what was really in use, and the refusal passes. Hence nothing is reported that was right.
//! That the times of a record are in the order of what happened is what a shared counter and a monotonic clock promise.
//!
//! Charges that were refused themselves do not count, at any moment: what they held on the way up, before they were
//! refused further above, is no excuse for another's refusal. Charges that were granted and undone count for as long as
//! their call lasted.
//!
//! # That it can fail
//! A refusal that is reported was certainly wrong: not even all that may have been in use left too little room. The tests
//! of `history` show that such records are found.

use std::thread;

use unkai_allocator::{RefusalCause, Scope, last_refusal};

use crate::hammer::THREADS;
use crate::history::{Call, Clock, Place, What, wrong_refusals};
use crate::support::Random;
use crate::tree::{DEPTHS, Tree};
use crate::turn::{Within, my_turn, seed};

impl Tree {
    pub(crate) fn places(&self) -> Vec<Place> {
        let places = self.levels.iter().map(|level| Place {
            upwards: level.upwards.clone(),
            limit: level.scope.limit(),
        });
        places.collect()
    }

    fn place_of(&self, leaf: usize, path: &str) -> usize {
        let mut upwards = self.levels[leaf].upwards.iter();
        let place = upwards.find(|&&place| self.levels[place].scope.path() == path);
        *place.expect("the scope that refuses is above the one that asks")
    }
}

#[test]
fn every_refusal_was_right_at_some_moment_of_its_call() {
    let _turn = my_turn();
    let seed = seed(3);
    for depth in DEPTHS {
        // With little room, walks through the levels collide; with more, stocks must be called in.
        for (limit, largest) in [(8 << 10, 2 << 10), (96 << 10, 8 << 10)] {
            for clock in Clock::both() {
                let tree = Tree::new(depth, limit);
                let calls = record(&tree, &clock, seed, largest);
                let is_refusal = |call: &&Call| matches!(call.what, What::Refusal { .. });
                let refused = calls.iter().filter(is_refusal).count();
                let wrong = wrong_refusals(&tree.places(), &calls);
                println!(
                    "seed {seed}, depth {depth}, limit {limit}: {} calls, {refused} refused, {} of them wrongly",
                    calls.len(),
                    wrong.len()
                );
                assert!(wrong.is_empty(), "{:?}", &wrong[..wrong.len().min(3)]);
                assert!(refused > 1000 && calls.len() - refused > 1000);
                tree.assert_ends_at_zero();
            }
        }
    }
}

fn record(tree: &Tree, clock: &Clock, seed: u64, largest: usize) -> Vec<Call> {
    let within = Within::millis(1500);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS as u64)
            .map(|number| {
                scope.spawn(move || {
                    Recorder {
                        tree,
                        clock,
                        random: Random::new(seed * 1000 + number),
                        children: vec![None; tree.leaves.len()],
                        held: Vec::new(),
                        calls: Vec::new(),
                    }
                    .run(30_000, largest, within)
                })
            })
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join().unwrap());
        joined.flatten().collect()
    })
}

struct Recorder<'t> {
    tree: &'t Tree,
    clock: &'t Clock,
    random: Random,
    /// Children of the leaves, for some of the charges: they have no limit, and come and go with what they have in stock.
    children: Vec<Option<Scope>>,
    held: Vec<(usize, Scope, usize)>,
    calls: Vec<Call>,
}

impl Recorder<'_> {
    fn run(mut self, steps: usize, largest: usize, within: Within) -> Vec<Call> {
        for step in 0..steps {
            if step % 256 == 0 && within.is_over() {
                break;
            }
            let may_hold_more = self.held.len() < 12;
            match self.random.below(8) {
                0..4 if may_hold_more => self.charge(largest),
                _ => self.uncharge(),
            }
            if self.random.below(32) == 0 {
                thread::yield_now();
            }
        }
        while !self.held.is_empty() {
            self.uncharge();
        }
        self.calls
    }

    /// A leaf, or a child of it; and the leaf's place.
    fn scope(&mut self) -> (usize, Scope) {
        let number = self.random.below(self.tree.leaves.len());
        let leaf = self.tree.leaves[number];
        let child = &mut self.children[number];
        let scope = &self.tree.levels[leaf].scope;
        match self.random.below(16) {
            0 => *child = None,
            1 => *child = scope.child("short-lived").build().ok(),
            _ => {}
        }
        (leaf, child.as_ref().unwrap_or(scope).clone())
    }

    fn charge(&mut self, largest: usize) {
        let (leaf, scope) = self.scope();
        let bytes = 1 + self.random.below(largest);
        let is_undone = self.random.below(16) == 0;
        let begin = self.clock.now();
        let charge = scope.charge(bytes);
        let end = self.clock.now();
        let (end, what) = match charge {
            Ok(charge) if is_undone => {
                drop(charge);
                (self.clock.now(), What::Undone)
            }
            Ok(charge) => {
                charge.keep();
                self.held.push((leaf, scope.clone(), bytes));
                (self.clock.now(), What::Charge)
            }
            Err(_) => {
                let refusal = last_refusal().expect("a refusal leaves its reason");
                assert_eq!(refusal.cause(), RefusalCause::Limit);
                let at = self.tree.place_of(leaf, refusal.path());
                (end, What::Refusal { at })
            }
        };
        self.calls.push(Call {
            begin,
            end,
            scope: leaf,
            bytes,
            what,
        });
    }

    fn uncharge(&mut self) {
        let count = self.held.len();
        if count == 0 {
            return;
        }
        let (leaf, scope, bytes) = self.held.swap_remove(self.random.below(count));
        let begin = self.clock.now();
        scope.uncharge(bytes);
        self.calls.push(Call {
            begin,
            end: self.clock.now(),
            scope: leaf,
            bytes,
            what: What::Uncharge,
        });
    }
}

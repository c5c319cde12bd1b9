//! A program forks a thousand times while all its other threads charge scopes close to their limits, wait for room in them, create and
//! drop them. Each child goes on with the same scopes: it fills them, is refused, waits its turn, creates others.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use unkai_allocator::api::{Global, Vec};
use unkai_allocator::{Bounds, OnExhausted, Scope, Unkai};

use crate::child::{self, Progress};
use crate::heap::{Heap, totals_are_exact};
use crate::raised::RaisedAtTheEnd;
use crate::random::Random;
use crate::under;

const FORKS: u64 = 1_000;
/// Where everything takes many times as long.
const FORKS_UNDER_A_TOOL: u64 = 25;
const THREADS: u64 = 3;

const LIMIT: usize = 1 << 20;
const LARGEST: usize = 100_000;

pub(crate) fn play(heap: &'static dyn Heap) {
    let forks = if under::tool().is_some() {
        FORKS_UNDER_A_TOOL
    } else {
        FORKS
    };
    let root = Scope::root("root").limit(LIMIT).build().unwrap();
    let left = root.child("left").limit(LIMIT / 2).build().unwrap();
    let right = root.child("right").min(LIMIT / 8).build().unwrap();
    let scopes = [left, right];
    let stop = AtomicBool::new(false);
    thread::scope(|threads| {
        let _end = RaisedAtTheEnd(&stop);
        for number in 0..THREADS {
            let (scopes, stop) = (&scopes, &stop);
            threads.spawn(move || {
                let mut random = Random::new(number);
                let mut kept = std::vec::Vec::new();
                while !stop.load(SeqCst) {
                    step(scopes, &mut random, &mut kept);
                }
            });
        }
        let mut random = Random::new(THREADS);
        let mut kept = std::vec::Vec::new();
        for number in 0..forks {
            child::play("while others charge scopes", |progress| {
                in_child(&root, &scopes[number as usize % 2], progress);
            });
            // Comes to own a stock from time to time, as others do.
            (0..20).for_each(|_| step(&scopes, &mut random, &mut kept));
        }
    });
    assert_eq!((root.used(), root.usage().blocks), (0, 0));
    totals_are_exact(heap, "after forks while scopes were charged");
}

type Block = Vec<u8, Unkai<Global>>;

fn block(scope: &Scope, bytes: usize) -> Option<Block> {
    let mut block = Vec::new_in(Unkai::in_scope(Global, scope));
    block.try_reserve_exact(bytes).ok()?;
    Some(block)
}

/// One of what a thread under load does.
fn step(scopes: &[Scope; 2], random: &mut Random, kept: &mut std::vec::Vec<Block>) {
    let scope = &scopes[random.below(2) as usize];
    match random.below(32) {
        0 => {
            let child = scope.child("child").build().unwrap();
            kept.extend(block(&child, random.size(LARGEST)));
            drop(child);
        }
        1 => {
            // Some are served, and some give up.
            let timeout = Duration::from_micros(random.below(300));
            let wait = OnExhausted::Wait { timeout };
            drop(scope.reserve(random.size(LARGEST), wait).blocking());
        }
        2 => drop(scope.snapshot(Bounds::all())),
        3 => scope.reset_peak(),
        4 => _ = scope.set_min(random.size(LARGEST)),
        5..9 => kept.clear(),
        _ => match block(scope, random.size(LARGEST)) {
            Some(block) if kept.len() < 20 => kept.push(block),
            Some(block) => drop(block),
            None => _ = kept.pop(),
        },
    }
}

/// The child has no other thread: so all that happens to a scope is what it does itself.
fn in_child(root: &Scope, scope: &Scope, progress: &Progress) {
    progress.at(&"the guarantee");
    scope.set_min(0).unwrap();
    progress.at(&"what is used");
    let before = (scope.used(), root.used(), scope.usage().blocks);
    let now = || (scope.used(), root.used(), scope.usage().blocks);
    progress.at(&"filling a scope");
    let mut kept = std::vec::Vec::new();
    let mut bytes = LIMIT;
    while bytes > 0 {
        match block(scope, bytes) {
            Some(block) => kept.push(block),
            None => bytes /= 2,
        }
    }
    assert!(scope.try_reserve(1).is_err(), "it is full");
    let held: usize = kept.iter().map(Vec::capacity).sum();
    let filled = (before.0 + held, before.1 + held, before.2 + kept.len());
    assert_eq!(now(), filled, "what is used by a full scope");
    progress.at(&"waiting in vain");
    let wait = |millis| OnExhausted::Wait {
        timeout: Duration::from_millis(millis),
    };
    assert!(scope.reserve(held, wait(1)).blocking().is_err());
    progress.at(&"freeing");
    drop(kept);
    assert_eq!(now(), before, "what is used after frees");
    progress.at(&"waiting, behind those whom the child has not");
    let reservation = scope.reserve(held, wait(10_000)).blocking().unwrap();
    assert_eq!(scope.used(), before.0 + held);
    drop(reservation);
    progress.at(&"a scope of its own");
    let own = scope.child("own").limit(held).build().unwrap();
    drop(block(&own, held).unwrap());
    own.close().unwrap();
    progress.at(&"a snapshot");
    drop(root.snapshot(Bounds::all()));
    assert_eq!(now(), before, "what is used at the end");
}

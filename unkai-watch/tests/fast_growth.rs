//! Growth at full speed is seen at the threshold, and not at the next tick.
#![cfg(target_os = "linux")]

#[path = "support/watched.rs"]
mod support;

use std::alloc::System;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use support::{alone, eventually};
use unkai_core::{Config, process};
use unkai_global::UnkaiGlobalAlloc;
use unkai_watch::{Quantity, Rule, Watcher};

#[global_allocator]
static HEAP: UnkaiGlobalAlloc<System> = UnkaiGlobalAlloc::with_config(System, Config::new());

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
/// Until a thread has allocated so much, it must have been told to stop.
const MOST: u64 = 1 << 30;

fn live() -> u64 {
    process::totals().live_bytes() as u64
}

/// Allocates blocks of `bytes`, touched, until `enough` says so. How much that was.
fn grow(bytes: u64, mut enough: impl FnMut() -> bool) -> u64 {
    let mut blocks = Vec::with_capacity((MOST / bytes) as usize);
    let mut grown = 0;
    while grown < MOST && !enough() {
        blocks.push(black_box(vec![1_u8; bytes as usize]));
        grown += bytes;
    }
    grown
}

#[test]
fn the_flag_is_raised_within_the_stated_bytes() {
    let _alone = alone();
    for threads in [1, 2, 4] {
        for block in [KIB, 16 * KIB, 256 * KIB] {
            let raised = AtomicBool::new(false);
            let start = Barrier::new(threads as usize);
            // Threads take turns, so that nothing is allocated between a block and the look at the flag.
            let turn = Mutex::new(0);
            let threshold = live() + 32 * MIB;
            process::set_alarm(Some(threshold));
            thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(|| {
                        let mut blocks = Vec::with_capacity((64 * MIB / block) as usize);
                        start.wait();
                        while !raised.load(SeqCst) && blocks.len() < blocks.capacity() {
                            let mut seen = turn.lock().expect("nobody panics");
                            blocks.push(black_box(vec![1_u8; block as usize]));
                            if process::wait(Duration::ZERO).alarm {
                                *seen = live();
                                raised.store(true, SeqCst);
                            }
                        }
                    });
                }
            });
            let seen = turn.into_inner().expect("nobody panics");
            assert!(raised.load(SeqCst), "{threads} threads, blocks of {block}");
            let over = seen as i64 - threshold as i64;
            // Of the threads of this test, and of the two of the runner.
            let bound = (128 * KIB * (threads + 2) + block) as i64;
            println!("flag: {threads} threads, blocks of {block} B: {over} B over, bound {bound}");
            assert!(
                over <= bound,
                "{threads} threads, blocks of {block}: {over} > {bound}"
            );
        }
    }
    process::set_alarm(None);
}

#[test]
fn a_rule_fires_while_memory_grows_at_full_speed() {
    let _alone = alone();
    for threads in [1, 2] {
        for block in [4 * KIB, 256 * KIB] {
            let threshold = live() + 96 * MIB;
            let (tell, told) = channel();
            let caught = Arc::new(AtomicBool::new(false));
            let rule = Rule::new("grows", Quantity::LiveBytes.rises_to(threshold)).call({
                let caught = Arc::clone(&caught);
                move |event| {
                    caught.store(true, SeqCst);
                    _ = tell.send((event.totals.live_bytes() as u64, live()));
                }
            });
            let watching = Watcher::new()
                .every(Duration::from_secs(3600))
                .rule(rule)
                .start()
                .expect("it starts");
            eventually("the first look", || watching.status().ticks == 1);
            let begun = Instant::now();
            let grown: u64 = thread::scope(|scope| {
                let growing: Vec<_> = (0..threads)
                    .map(|_| scope.spawn(|| grow(block, || caught.load(SeqCst))))
                    .collect();
                growing
                    .into_iter()
                    .map(|thread| thread.join().expect("it grows"))
                    .sum()
            });
            let speed = grown as f64 / begun.elapsed().as_secs_f64() / (1 << 30) as f64;
            let (judged, called) = told
                .recv_timeout(Duration::from_secs(30))
                .expect("the rule fires before the next tick, in an hour");
            let over = |live: u64| (live - threshold) / KIB;
            println!(
                "rule: {threads} threads, blocks of {block} B, {speed:.1} GiB/s: judged {} KiB over, called back {} KiB over",
                over(judged),
                over(called),
            );
            assert!(judged < threshold + 512 * MIB, "{judged}, {threshold}");
            assert_eq!(watching.status().alarms, 1);
            watching.stop();
        }
    }
}

//! Scopes may be created and dropped by the million: nothing of them stays.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use unkai_allocator::Scope;

use crate::tree::assert_all_zero;
use crate::turn::my_turn;

const THREADS: usize = 4;
const SCOPES: usize = 1_000_000;

/// Creates, charges and drops scopes below `parent`, some with scopes of their own, some dropped by another thread.
fn create_and_drop(parent: &Scope, count: usize) -> usize {
    let next = AtomicUsize::new(0);
    let created = AtomicUsize::new(0);
    let kept: [Mutex<Option<Scope>>; 16] = Default::default();
    thread::scope(|threads| {
        for _ in 0..THREADS {
            threads.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    let scope = parent.child("short-lived").limit(1 << 20).build().unwrap();
                    for bytes in [10, 3000, 100] {
                        scope.charge(bytes).unwrap().keep();
                    }
                    for bytes in [100, 10, 3000] {
                        scope.uncharge(bytes);
                    }
                    created.fetch_add(1, Ordering::Relaxed);
                    let last = if number.is_multiple_of(4) {
                        // Its handle is dropped before that of the scope below it.
                        scope.child("below").build().unwrap()
                    } else {
                        scope
                    };
                    // It stays for a while, with what it has in stock, until any thread puts another one in its place.
                    let replaced = kept[number % kept.len()].lock().unwrap().replace(last);
                    drop(replaced);
                }
            });
        }
    });
    created.into_inner()
}

/// Resident memory in KiB, where the system tells.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[test]
fn a_million_scopes_come_and_go_and_leave_nothing() {
    let _turn = my_turn();
    let root = Scope::root("root").limit(64 << 20).build().unwrap();
    let parent = root.child("parent").build().unwrap();
    create_and_drop(&parent, SCOPES / 20);
    let start = Instant::now();
    // Heaps of threads that end keep a little, now and then; what stays of a scope would grow in each part.
    let parts = 4;
    let growth = (0..parts).map(|_| {
        let before = resident();
        let created = create_and_drop(&parent, SCOPES / parts);
        assert_eq!(created, SCOPES / parts);
        Some(resident()?.saturating_sub(before?))
    });
    let growth: Vec<Option<usize>> = growth.collect();
    println!(
        "{SCOPES} scopes by {THREADS} threads in {:?}; KiB of resident memory more after each quarter: {growth:?}",
        start.elapsed()
    );
    let least = growth.into_iter().min().flatten();
    // A scope takes 700 bytes: of these a hundredth would be 1.7 MiB.
    assert!(least < Some(1024), "memory grows with the scopes that were");
    assert_eq!((root.used(), root.usage().blocks), (0, 0));
    parent.close().unwrap();
    root.clone().close().unwrap();
    assert_all_zero(&root);
}

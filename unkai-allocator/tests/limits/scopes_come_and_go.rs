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
    let before = resident();
    let start = Instant::now();
    assert_eq!(create_and_drop(&parent, SCOPES), SCOPES);
    let took = start.elapsed();
    let after = resident();
    println!(
        "{SCOPES} scopes by {THREADS} threads in {took:?}; resident {before:?} KiB before, {after:?} after"
    );
    if let (Some(before), Some(after)) = (before, after) {
        // A scope takes 700 bytes: one in a hundred that stays would be 7 MiB. Heaps of threads that end keep a little.
        assert!(
            after < before + 6 * 1024,
            "memory grows with the scopes that were"
        );
    }
    assert_eq!((root.used(), root.usage().blocks), (0, 0));
    parent.close().unwrap();
    root.clone().close().unwrap();
    assert_all_zero(&root);
}

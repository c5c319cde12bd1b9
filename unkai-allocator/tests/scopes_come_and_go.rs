//! Scopes may be created and dropped by the million: nothing of them stays. A process of its own, as it has a global
//! allocator of its own, which counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use unkai_allocator::{Bounds, Scope};

const THREADS: usize = 4;
const SCOPES: usize = 1_000_000;

/// Bytes and blocks that are out. Scopes and all that they need come from the global allocator.
static BYTES: AtomicIsize = AtomicIsize::new(0);
static BLOCKS: AtomicIsize = AtomicIsize::new(0);

struct Counting;

#[global_allocator]
static GLOBAL: Counting = Counting;

// SAFETY: forwards to an allocator that keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size().cast_signed(), Ordering::Relaxed);
        BLOCKS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size().cast_signed(), Ordering::Relaxed);
        BLOCKS.fetch_sub(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(ptr, layout) }
    }
}

fn out() -> (isize, isize) {
    (
        BYTES.load(Ordering::Relaxed),
        BLOCKS.load(Ordering::Relaxed),
    )
}

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

#[test]
fn a_million_scopes_come_and_go_and_leave_nothing() {
    let root = Scope::root("root").limit(64 << 20).build().unwrap();
    let parent = root.child("parent").build().unwrap();
    // What a process, its threads and the list of scopes need once.
    create_and_drop(&parent, SCOPES / 20);
    let start = Instant::now();
    let before = out();
    let created = create_and_drop(&parent, SCOPES);
    assert_eq!(created, SCOPES);
    let after = out();
    let more = (after.0 - before.0, after.1 - before.1);
    println!(
        "{SCOPES} scopes by {THREADS} threads in {:?}: {} bytes and {} blocks more than before",
        start.elapsed(),
        more.0,
        more.1
    );
    // A scope takes 700 bytes. A thread that has just ended may still hold a few blocks of its own.
    assert!(
        more.0 < 8 << 10,
        "{} bytes stay of the scopes that were",
        more.0
    );
    assert!(
        more.1 < 8 * THREADS.cast_signed(),
        "{} blocks stay of the scopes that were",
        more.1
    );

    assert_eq!((root.used(), root.usage().blocks), (0, 0));
    parent.close().unwrap();
    root.clone().close().unwrap();
    for scope in root.snapshot(Bounds::all()).scopes() {
        let left = (scope.used, scope.reserved, scope.stock, scope.blocks);
        assert_eq!(left, (0, 0, 0, 0), "{}", scope.path());
        assert_eq!(
            (scope.leaked_bytes, scope.leaked_blocks),
            (0, 0),
            "{}",
            scope.path()
        );
    }
}

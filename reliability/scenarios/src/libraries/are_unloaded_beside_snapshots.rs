//! A library comes and goes while other threads take snapshots, which read the tables of what is loaded.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use super::library::Library;
use crate::heap::{Heap, totals_are_exact};
use crate::raised::RaisedAtTheEnd;

/// So long, and so often at least.
const FOR: Duration = Duration::from_millis(500);
const TIMES: usize = 50;

pub(crate) fn play(heap: &'static dyn Heap) {
    let done = AtomicBool::new(false);
    let snapshots = AtomicUsize::new(0);
    thread::scope(|scope| {
        let _end = RaisedAtTheEnd(&done);
        // Outer's way aside is of one thread; two of them are enough to meet an unloading.
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(SeqCst) {
                    drop(heap.snapshot());
                    snapshots.fetch_add(1, SeqCst);
                }
            });
        }
        let start = Instant::now();
        let mut times = 0;
        while start.elapsed() < FOR || times < TIMES || snapshots.load(SeqCst) < TIMES {
            // Nothing of it is called: it has no part in any stack.
            assert!(Library::load("allocating_library").unload());
            times += 1;
        }
    });
    totals_are_exact(heap, "after snapshots beside unloading");
}

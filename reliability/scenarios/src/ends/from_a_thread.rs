//! A thread calls `exit` while the main thread and others allocate, and go on while handlers run.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use super::last_word;
use crate::describe::{Format, Names, describe};
use crate::heap::{Heap, totals_are_exact};
use crate::load::churn;

const THREADS: usize = 3;

static HEAP: OnceLock<&'static dyn Heap> = OnceLock::new();
static PAUSE: AtomicBool = AtomicBool::new(false);
static PAUSED: AtomicUsize = AtomicUsize::new(0);

pub(crate) fn play(heap: &'static dyn Heap) {
    assert!(HEAP.set(heap).is_ok());
    last_word::register(end);
    for number in 1..THREADS {
        thread::spawn(move || allocate(number as u64));
    }
    thread::spawn(|| {
        churn(7, 1000);
        std::process::exit(0);
    });
    allocate(0);
}

/// Allocates until the end, with a pause.
fn allocate(seed: u64) {
    let mut paused = false;
    for round in 0.. {
        if !paused && PAUSE.load(SeqCst) {
            paused = true;
            PAUSED.fetch_add(1, SeqCst);
            while PAUSE.load(SeqCst) {
                // No heap is needed to sleep.
                thread::sleep(Duration::from_millis(1));
            }
        }
        churn(seed + round * 10, 20);
    }
}

extern "C" fn end() {
    let heap = *HEAP.get().expect("set before any handler");
    // While all others go on.
    for format in Format::ALL {
        describe(heap, Names::LeftOut, format);
    }
    describe(heap, Names::Found, Format::Json);
    churn(8, 1000);
    PAUSE.store(true, SeqCst);
    while PAUSED.load(SeqCst) < THREADS {
        thread::sleep(Duration::from_millis(1));
    }
    totals_are_exact(heap, "while all others pause");
    PAUSE.store(false, SeqCst);
    churn(9, 1000);
    last_word::say();
}

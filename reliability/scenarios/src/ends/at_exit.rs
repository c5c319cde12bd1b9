//! Handlers that run after `main` has returned: they allocate, free what the program has left, take snapshots and make reports.

use std::hint::black_box;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, OnceLock};

use super::last_word;
use crate::describe::{Format, Names, describe};
use crate::heap::{Heap, totals_are_exact};
use crate::load::churn;

static HEAP: OnceLock<&'static dyn Heap> = OnceLock::new();
/// What the program has left.
static LEFT: AtomicPtr<[u8; 5000]> = AtomicPtr::new(std::ptr::null_mut());
static GROWING: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());
static RAN: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Its destructor runs before all of them, on the main thread.
    static OF_MAIN: Late = const { Late };
}

struct Late;

impl Drop for Late {
    fn drop(&mut self) {
        churn(1, 100);
        RAN.fetch_add(1, SeqCst);
    }
}

pub(crate) fn play(heap: &'static dyn Heap) {
    assert!(HEAP.set(heap).is_ok());
    last_word::register(end);
    last_word::register(report);
    last_word::register(report);
    last_word::register(start_and_join_a_thread);
    last_word::register(free_and_allocate);
    OF_MAIN.with(|_| {});
    LEFT.store(Box::into_raw(Box::new([1; 5000])), SeqCst);
    GROWING.lock().expect("nobody panicked").push(vec![1; 100]);
    churn(2, 1000);
}

extern "C" fn free_and_allocate() {
    RAN.fetch_add(1, SeqCst);
    // SAFETY: from `Box::into_raw`, and taken once.
    drop(unsafe { Box::from_raw(LEFT.swap(std::ptr::null_mut(), SeqCst)) });
    let mut growing = GROWING.lock().expect("nobody panicked");
    for size in 0..200 {
        growing.push(black_box(vec![1; size * 10]));
    }
    growing[0].reserve_exact(100_000);
    growing.truncate(100);
    drop(growing);
    churn(3, 1000);
    totals_are_exact(heap(), "after main");
}

extern "C" fn start_and_join_a_thread() {
    RAN.fetch_add(1, SeqCst);
    let thread = std::thread::spawn(|| churn(4, 1000));
    thread.join().expect("nobody panicked");
}

extern "C" fn report() {
    RAN.fetch_add(1, SeqCst);
    for format in Format::ALL {
        describe(heap(), Names::LeftOut, format);
    }
    describe(heap(), Names::Found, Format::Text);
    totals_are_exact(heap(), "after reports after main");
}

extern "C" fn end() {
    GROWING.lock().expect("nobody panicked").clear();
    churn(5, 100);
    totals_are_exact(heap(), "at the very end");
    assert_eq!(RAN.load(SeqCst), 5, "a destructor and four handlers");
    last_word::say();
}

fn heap() -> &'static dyn Heap {
    *HEAP.get().expect("set before any handler")
}

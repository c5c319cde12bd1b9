//! Panics that are caught: on threads that own memory, sent on to other threads, with payloads that allocate when they are
//! dropped, within destructors that run because of another.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

use crate::heap::{Heap, totals_are_exact};
use crate::load::Load;

const ROUNDS: usize = 200;

static DROPPED: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static OWNED: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn play(heap: &'static dyn Heap) {
    super::hook::be_silent();
    let load = Load::start(2, 4);
    for round in 0..ROUNDS {
        threads_that_own_memory(round);
        sent_on(round);
        within_another(round);
    }
    load.stop();
    assert_eq!(DROPPED.load(SeqCst), 3 * ROUNDS, "payloads dropped");
    totals_are_exact(heap, "after panics");
}

/// Allocates and frees when it is dropped.
struct Payload(Vec<u8>);

impl Payload {
    fn new(round: usize) -> Self {
        Self(vec![1; 100 + round])
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        self.0.extend([2; 70_000]);
        DROPPED.fetch_add(1, SeqCst);
    }
}

fn threads_that_own_memory(round: usize) {
    let thread = thread::spawn(move || {
        OWNED.with_borrow_mut(|owned| owned.extend((0..20).map(|n| vec![1; n * 100])));
        let _here: Vec<String> = (0..20).map(|n| format!("block {n}")).collect();
        panic_any(Payload::new(round));
    });
    let payload = thread.join().expect_err("no panic");
    assert!(payload.is::<Payload>());
}

/// From thread to thread, and dropped on the last.
fn sent_on(round: usize) {
    let first = thread::spawn(move || {
        let second = thread::spawn(move || panic_any(Payload::new(round)));
        resume_unwind(second.join().expect_err("no panic"));
    });
    let caught = catch_unwind(AssertUnwindSafe(|| {
        resume_unwind(first.join().expect_err("no panic"));
    }));
    let payload = caught.expect_err("no panic");
    assert_eq!(
        payload
            .downcast_ref::<Payload>()
            .map(|payload| payload.0.len()),
        Some(100 + round)
    );
}

/// A destructor that runs because of one panic catches another.
fn within_another(round: usize) {
    struct Catches;

    impl Drop for Catches {
        fn drop(&mut self) {
            let caught = catch_unwind(|| {
                let _here = vec![1_u8; 3000];
                panic!("another, with words that are allocated: {}", self.words());
            });
            assert!(caught.is_err());
        }
    }

    impl Catches {
        fn words(&self) -> usize {
            usize::from(thread::panicking())
        }
    }

    let caught = catch_unwind(|| {
        let _catches = Catches;
        panic_any(Payload::new(round));
    });
    assert!(caught.is_err());
}

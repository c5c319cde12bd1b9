//! Who waits beside what makes room, under every interleaving that loom can reach within the bound of preemptions.
//!
//! Nobody sleeps here: a waker notes that it was called, and who waits is polled again when it was, and not otherwise. So a
//! wake-up that is lost leaves it without what it waits for.

use super::super::models::{model, scope};
use super::*;
use crate::sync::AtomicBool;
use loom::thread;

/// A waker that notes that it was called.
struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

struct Sleeper {
    reserve: Reserve,
    bell: Arc<Bell>,
    granted: Option<Reservation>,
}

impl Sleeper {
    fn new(scope: &Scope, bytes: usize) -> Self {
        let timeout = Duration::MAX;
        Self {
            reserve: scope.reserve(bytes, OnExhausted::Wait { timeout }),
            bell: Arc::new(Bell(AtomicBool::new(false))),
            granted: None,
        }
    }

    /// Lies down, unless there is room. Returns whether there was.
    fn poll(&mut self) -> bool {
        let waker = Waker::from(Arc::clone(&self.bell));
        if let Poll::Ready(result) = self.reserve.advance(&waker) {
            self.granted = Some(result.unwrap());
        }
        self.granted.is_some()
    }

    /// Gets up as often as it was woken. Returns whether it was served.
    fn is_served(&mut self) -> bool {
        while self.granted.is_none() && self.bell.0.swap(false, Ordering::AcqRel) {
            self.poll();
        }
        self.granted.is_some()
    }
}

#[test]
fn a_free_while_somebody_lies_down_wakes_it() {
    model(2, || {
        let root = scope(None, 10);
        root.charge(8).unwrap().keep();
        let frees = root.clone();
        let thread = thread::spawn(move || frees.uncharge(8));
        let mut sleeper = Sleeper::new(&root, 5);
        sleeper.poll();
        thread.join().unwrap();
        assert!(sleeper.is_served());
    });
}

/// Below a limit that is not close, what is freed goes to the stock, and nobody is told.
#[test]
fn a_free_into_a_stock_while_somebody_lies_down_is_not_missed() {
    model(2, || {
        let root = scope(None, 64);
        root.charge(16).unwrap().keep();
        let frees = root.clone();
        let thread = thread::spawn(move || frees.uncharge(16));
        let mut sleeper = Sleeper::new(&root, 60);
        sleeper.poll();
        thread.join().unwrap();
        assert!(sleeper.is_served());
    });
}

#[test]
fn a_limit_that_is_raised_while_somebody_lies_down_wakes_it() {
    model(3, || {
        let root = scope(None, 4);
        let raises = root.clone();
        let thread = thread::spawn(move || raises.set_limit(Some(10)));
        let mut sleeper = Sleeper::new(&root, 6);
        sleeper.poll();
        thread.join().unwrap();
        assert!(sleeper.is_served());
    });
}

/// The first in line gives up while the second lies down, for whom there is room.
#[test]
fn who_leaves_the_line_while_another_joins_it_wakes_that_one() {
    model(3, || {
        let root = scope(None, 10);
        root.charge(5).unwrap().keep();
        let mut first = Sleeper::new(&root, 8);
        assert!(!first.poll());
        let thread = thread::spawn(move || drop(first));
        let mut second = Sleeper::new(&root, 5);
        second.poll();
        thread.join().unwrap();
        assert!(second.is_served());
    });
}

/// Only both together make enough room.
#[test]
fn of_two_who_free_at_once_one_wakes_who_needs_both() {
    model(3, || {
        let root = scope(None, 10);
        root.charge(5).unwrap().keep();
        root.charge(5).unwrap().keep();
        let mut sleeper = Sleeper::new(&root, 8);
        assert!(!sleeper.poll());
        let frees = root.clone();
        let thread = thread::spawn(move || frees.uncharge(5));
        root.uncharge(5);
        thread.join().unwrap();
        assert!(sleeper.is_served());
    });
}

/// The same, where one of them makes no room at the level where it waits, but refills the guarantee that will pay for a part.
#[test]
fn a_guarantee_that_is_refilled_beside_a_free_wakes_who_needs_both() {
    model(3, || {
        let root = scope(None, 10);
        let (one, other) = (scope(Some(&root), 20), scope(Some(&root), 20));
        one.set_min(4).unwrap();
        one.charge(4).unwrap().keep();
        other.charge(6).unwrap().keep();
        let mut sleeper = Sleeper::new(&one, 8);
        assert!(!sleeper.poll());
        let thread = thread::spawn(move || {
            other.uncharge(6);
            other
        });
        one.uncharge(4);
        drop(thread.join().unwrap());
        assert!(sleeper.is_served());
    });
}

/// A request fits here and is refused above: for a moment it takes the room that a free has made.
#[test]
fn a_request_that_another_level_refuses_hides_no_free() {
    model(1, || {
        let root = scope(None, 12);
        let child = scope(Some(&root), 10);
        child.charge(4).unwrap().keep();
        child.charge(5).unwrap().keep();
        root.charge(3).unwrap().keep();
        let mut sleeper = Sleeper::new(&child, 4);
        assert!(!sleeper.poll());
        let asks = child.clone();
        let thread = thread::spawn(move || assert!(asks.node().obtain(6, false).is_err()));
        child.uncharge(5);
        thread.join().unwrap();
        assert!(sleeper.is_served());
    });
}

/// A free finds that a request is not sure yet, and keeps for the guarantee what that request may give back. Once it is sure, the
/// guarantee needs it no more, and whoever waits above gets it.
#[test]
fn what_a_guarantee_kept_for_a_request_under_way_wakes_who_waits_once_it_is_served() {
    model(2, || {
        let root = scope(None, 12);
        let (kept, other) = (scope(Some(&root), 20), scope(Some(&root), 20));
        kept.set_min(4).unwrap();
        kept.charge(4).unwrap().keep();
        other.charge(4).unwrap().keep();
        let under_way = kept.charge(4).unwrap();
        let mut sleeper = Sleeper::new(&other, 4);
        assert!(!sleeper.poll());
        let frees = kept.clone();
        let thread = thread::spawn(move || frees.uncharge(4));
        under_way.keep();
        thread.join().unwrap();
        assert!(sleeper.is_served());
        assert_eq!((root.reserved(), kept.reserved()), (12, 4));
    });
}

//! What rises to `high` beside what falls, under every interleaving that loom can reach within the bound of preemptions.
//!
//! At rest, a callback has been called once for each time that `high` was reached, and no more.

use super::super::models::{model, scope};
use super::*;
use loom::thread;

fn with_high(parent: Option<&Scope>, limit: usize, high: usize) -> Scope {
    let scope = scope(parent, limit);
    scope.set_high(Some(high));
    scope
}

fn events(scope: &Scope) -> u64 {
    scope.node().events.high.load(Ordering::Relaxed)
}

/// One more byte is no news for who is above `high` and was told.
fn assert_told(scope: &Scope, times: u64) {
    assert_eq!(events(scope), times);
    scope.charge(1).unwrap().keep();
    assert_eq!(events(scope), times);
    scope.uncharge(1);
}

#[test]
fn two_who_reach_it_together_are_told_once() {
    model(3, || {
        let root = with_high(None, 20, 8);
        let other = root.clone();
        let thread = thread::spawn(move || other.charge(5).unwrap().keep());
        root.charge(4).unwrap().keep();
        thread.join().unwrap();
        assert_told(&root, 1);
    });
}

/// Both fit only one after the other: where the second is granted, the first was given back before, so that `high` was left.
#[test]
fn who_reaches_it_while_another_leaves_it_is_told() {
    model(3, || {
        let root = with_high(None, 10, 8);
        root.charge(9).unwrap().keep();
        assert_eq!(events(&root), 1);
        let other = root.clone();
        let thread = thread::spawn(move || other.uncharge(9));
        let granted = root.charge(9).map(super::super::handle::Charge::keep);
        thread.join().unwrap();
        if granted.is_ok() {
            assert_told(&root, 2);
        }
    });
}

/// It was not above: who gives back late does not make it news again.
#[test]
fn who_reaches_it_while_another_gives_back_below_it_is_told_once() {
    model(3, || {
        let root = with_high(None, 20, 8);
        root.charge(6).unwrap().keep();
        let other = root.clone();
        let thread = thread::spawn(move || other.uncharge(6));
        root.charge(9).unwrap().keep();
        thread.join().unwrap();
        assert_told(&root, 1);
    });
}

/// A request reaches it here, and is refused above; another that reaches it is granted.
#[test]
fn a_request_that_another_level_refuses_hides_nobody_who_reaches_it() {
    model(1, || {
        let root = scope(None, 10);
        let child = with_high(Some(&root), 20, 8);
        let other = child.clone();
        let thread = thread::spawn(move || assert!(other.node().obtain(11, false).is_err()));
        child.charge(9).unwrap().keep();
        thread.join().unwrap();
        assert_told(&child, 1);
    });
}

#[test]
fn who_reaches_one_that_is_being_set_is_told_once() {
    model(3, || {
        let root = scope(None, 20);
        let other = root.clone();
        let thread = thread::spawn(move || other.charge(9).unwrap().keep());
        root.set_high(Some(8));
        thread.join().unwrap();
        assert_told(&root, 1);
    });
}

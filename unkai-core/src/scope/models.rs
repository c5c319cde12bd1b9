//! Models: every interleaving of two or three threads that loom can reach within the bound of preemptions, at small numbers.

use std::sync::Arc as StdArc;

use loom::model::Builder;
use loom::sync::Arc;
use loom::thread;

use super::bias::{Biased, Wish};
use super::gate::Gate;
use super::handle::Scope;
use super::node::Node;
use super::stock::{Blocks, CAPACITY, Stock};
use super::thread::this_thread;
use crate::scope::barrier;
use crate::sync::{AtomicUsize, Ordering};

pub(super) fn model(preemptions: usize, run: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 50_000;
    builder.check(run);
}

pub(super) fn node(parent: Option<&StdArc<Node>>, limit: usize) -> StdArc<Node> {
    let place = std::panic::Location::caller();
    Node::new(parent.cloned(), "n", limit, usize::MAX, place)
}

pub(super) fn scope(parent: Option<&Scope>, limit: usize) -> Scope {
    Scope::from_node(node(parent.map(Scope::node), limit))
}

fn in_stocks(scope: &Scope) -> usize {
    let mut bytes = 0;
    let node = scope.node();
    node.for_each_below(&mut |node| bytes += node.in_own_stocks());
    bytes
}

#[test]
fn who_is_alone_below_a_node_sees_no_half_moved_bytes() {
    model(3, || {
        let root = node(None, usize::MAX);
        let (inside, outside) = (node(Some(&root), 10), node(Some(&root), 10));
        let gate = Arc::new(Gate::new());
        // Two halves of one movement.
        let halves = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
        let mover = {
            let (gate, halves, inside) = (gate.clone(), halves.clone(), inside.clone());
            thread::spawn(move || {
                let _pass = gate.enter(&inside);
                halves.0.fetch_add(1, Ordering::Relaxed);
                halves.1.fetch_add(1, Ordering::Relaxed);
            })
        };
        let elsewhere = {
            let (gate, outside) = (gate.clone(), outside.clone());
            thread::spawn(move || drop(gate.enter(&outside)))
        };
        {
            let mut held = gate.hold();
            held.alone_under(&inside);
            let first = halves.0.load(Ordering::Relaxed);
            assert_eq!(first, halves.1.load(Ordering::Relaxed));
        }
        mover.join().unwrap();
        elsewhere.join().unwrap();
    });
}

#[test]
fn two_threads_are_alone_one_after_the_other() {
    model(3, || {
        let root = node(None, usize::MAX);
        let gate = Arc::new(Gate::new());
        let inside = Arc::new(AtomicUsize::new(0));
        let alone = |gate: &Gate, root: &Node, inside: &AtomicUsize| {
            let mut held = gate.hold();
            held.alone_under(root);
            assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0);
            inside.fetch_sub(1, Ordering::Relaxed);
        };
        let other = {
            let (gate, root, inside) = (gate.clone(), root.clone(), inside.clone());
            thread::spawn(move || alone(&gate, &root, &inside))
        };
        alone(&gate, &root, &inside);
        other.join().unwrap();
        drop(gate.enter(&root));
    });
}

/// A stock that belongs to the thread that calls this.
fn lent(bytes: usize) -> Arc<Biased> {
    let stock = Arc::new(Biased::new());
    let me = this_thread().unwrap();
    assert_eq!(stock.wish(me), Wish::Granted);
    assert_eq!(stock.fill(me, bytes), 0);
    stock
}

#[test]
fn an_owner_and_who_revokes_share_the_bytes_between_them() {
    model(4, || {
        let stock = lent(10);
        let other = stock.clone();
        let revoker = thread::spawn(move || {
            let me = this_thread().unwrap();
            if !other.begin_revoking(Some(me), me.token()) {
                return (0, 0);
            }
            barrier::heavy();
            let contents = other.finish_revoking(me.token());
            (contents.bytes, contents.word)
        });
        let me = this_thread().unwrap();
        let taken = [3, 4].map(|bytes| {
            if stock.try_take(me, bytes, Blocks::One) {
                bytes
            } else {
                0
            }
        });
        let put = stock.try_put(me, 2, Blocks::One);
        let (revoked, word) = revoker.join().unwrap();
        let out = taken.iter().sum::<usize>() - if put { 2 } else { 0 };
        assert_eq!(out + revoked + stock.bytes(), 10);
        // The blocks, too: those that went out are in what was revoked, or still here.
        let blocks = taken.iter().filter(|&&bytes| bytes > 0).count() as u64 - u64::from(put);
        let shared = Stock::new();
        shared.add_part(word);
        let parts = [shared.blocks(), stock.blocks()];
        assert_eq!(
            super::stock::sum_of_blocks(parts.into_iter()),
            blocks as usize
        );
    });
}

#[test]
fn a_former_owner_that_is_late_does_not_disturb_the_next() {
    model(3, || {
        let stock = lent(10);
        let other = stock.clone();
        let next = thread::spawn(move || {
            let me = this_thread().unwrap();
            let mut bytes = 0;
            if other.begin_revoking(Some(me), me.token()) {
                barrier::heavy();
                bytes = other.finish_revoking(me.token()).bytes;
            }
            for _ in 0..4 {
                if other.wish(me) == Wish::Granted {
                    break;
                }
            }
            // What it has as the owner, it has alone.
            bytes
                - other
                    .try_put(me, bytes, Blocks::Same)
                    .then_some(bytes)
                    .unwrap_or(0)
        });
        let me = this_thread().unwrap();
        let taken = if stock.try_take(me, 3, Blocks::Same) {
            3
        } else {
            0
        };
        let again = if stock.try_take(me, 1, Blocks::Same) {
            1
        } else {
            0
        };
        let kept = next.join().unwrap();
        assert_eq!(taken + again + kept + stock.bytes(), 10);
    });
}

#[test]
fn two_requests_that_do_not_fit_together_are_not_both_granted() {
    model(2, || {
        let root = scope(None, 10);
        let (one, other) = (scope(Some(&root), 10), scope(Some(&root), 10));
        let thread = thread::spawn(move || {
            let granted = other.charge(6).map(super::handle::Charge::keep).is_ok();
            if granted {
                other.uncharge(6);
            }
            granted
        });
        let granted = one.charge(6).map(super::handle::Charge::keep).is_ok();
        assert!(root.reserved() <= 10);
        let other_granted = thread.join().unwrap();
        // Whoever was refused was refused because of the other.
        assert!(granted || other_granted);
        if granted {
            one.uncharge(6);
        }
        assert_eq!((root.used(), root.reserved() - in_stocks(&root)), (0, 0));
    });
}

#[test]
fn nobody_is_refused_what_lies_in_the_stock_of_another() {
    model(2, || {
        // A quarter of what is left may lie in a stock.
        let limit = 4 * CAPACITY;
        let root = scope(None, limit);
        let (idle, busy) = (scope(Some(&root), limit), scope(Some(&root), limit));
        idle.charge(40).unwrap().keep();
        idle.uncharge(40);
        assert!(in_stocks(&root) > 0);
        // It uses one byte, and gives it back, while the other asks for all but one.
        let thread = thread::spawn(move || {
            idle.charge(1).unwrap().keep();
            idle.uncharge(1);
            idle
        });
        busy.charge(limit - 1).unwrap().keep();
        assert!(root.reserved() <= limit);
        let idle = thread.join().unwrap();
        busy.uncharge(limit - 1);
        assert_eq!((root.used(), idle.used(), busy.used()), (0, 0, 0));
    });
}

#[test]
fn after_a_scope_is_closed_nothing_is_granted() {
    model(2, || {
        let root = scope(None, usize::MAX);
        let child = scope(Some(&root), usize::MAX);
        let other = child.clone();
        let thread = thread::spawn(move || {
            let granted = other.charge(5).map(super::handle::Charge::keep).is_ok();
            if granted {
                other.uncharge(5);
            }
        });
        let closed = child.clone().close();
        assert!(child.charge(1).is_err());
        if let Err(leak) = closed {
            assert_eq!(leak.bytes(), 5);
        }
        thread.join().unwrap();
        assert!(child.close().is_ok());
        assert_eq!(root.reserved(), 0);
    });
}

#[test]
fn a_request_that_the_inner_allocator_refuses_is_in_no_peak() {
    model(2, || {
        let root = scope(None, 1000);
        let (one, other) = (scope(Some(&root), 1000), scope(Some(&root), 1000));
        let thread = thread::spawn(move || {
            drop(other.charge(500).unwrap());
            other
        });
        one.charge(10).unwrap().keep();
        assert_eq!(root.peak(), 10);
        one.uncharge(10);
        let other = thread.join().unwrap();
        assert_eq!((root.peak(), other.peak(), root.used()), (10, 0, 0));
    });
}

#[test]
fn blocks_that_are_held_together_are_in_the_peak_together() {
    model(2, || {
        let root = scope(None, usize::MAX);
        let (one, other) = (
            scope(Some(&root), usize::MAX),
            scope(Some(&root), usize::MAX),
        );
        let thread = thread::spawn(move || {
            other.charge(10).unwrap().keep();
            other
        });
        one.charge(3).unwrap().keep();
        one.resize(3, 7).unwrap().keep();
        let other = thread.join().unwrap();
        assert_eq!(root.used(), 17);
        assert!(root.peak() >= 17);
        drop((one, other));
    });
}

/// What is guaranteed is there at any time, for one thread, while another takes all the rest.
#[test]
fn a_guarantee_is_kept_while_others_take_the_rest() {
    model(2, || {
        let root = scope(None, 10);
        let (kept, other) = (scope(Some(&root), 10), scope(Some(&root), 10));
        kept.set_min(4).unwrap();
        let thread = thread::spawn(move || {
            other.charge(6).unwrap().keep();
            other.uncharge(6);
            other
        });
        kept.charge(3).unwrap().keep();
        kept.uncharge(3);
        kept.charge(4).unwrap().keep();
        drop(thread.join().unwrap());
        assert_eq!((root.reserved(), kept.reserved()), (4, 4));
        kept.uncharge(4);
        assert_eq!((root.used(), root.reserved(), kept.reserved()), (0, 4, 4));
    });
}

/// Two threads give back what a guarantee has paid for: it is there again, and no more than it.
#[test]
fn two_who_give_back_at_once_refill_a_guarantee_exactly() {
    // As much from both: then the credit may be the same again, and yet another.
    for (one, another) in [(5, 3), (4, 4)] {
        model(3, move || {
            let root = scope(None, 10);
            let kept = scope(Some(&root), 10);
            kept.set_min(4).unwrap();
            kept.charge(one).unwrap().keep();
            kept.charge(another).unwrap().keep();
            assert_eq!(root.reserved(), 8);
            let other = kept.clone();
            let thread = thread::spawn(move || other.uncharge(another));
            kept.uncharge(one);
            thread.join().unwrap();
            assert_eq!((root.reserved(), kept.reserved(), kept.used()), (4, 4, 0));
        });
    }
}

#[test]
fn a_guarantee_that_is_set_beside_charges_is_there_afterwards_and_no_more() {
    model(2, || {
        let root = scope(None, 20);
        let kept = scope(Some(&root), 20);
        let other = kept.clone();
        let thread = thread::spawn(move || {
            other.charge(3).unwrap().keep();
            other.charge(3).unwrap().keep();
            other.uncharge(3);
        });
        kept.set_min(5).unwrap();
        thread.join().unwrap();
        assert_eq!((root.reserved(), kept.reserved(), kept.used()), (5, 5, 3));
    });
}

#[test]
fn after_a_limit_was_lowered_nothing_is_granted_beyond_it() {
    model(3, || {
        let root = scope(None, 20);
        let child = scope(Some(&root), 20);
        let thread = thread::spawn(move || {
            let granted = child.charge(6).map(super::handle::Charge::keep).is_ok();
            (child, granted)
        });
        let excess = root.set_limit(Some(4));
        let (child, granted) = thread.join().unwrap();
        // It was there before, or it is not there.
        assert_eq!(excess, if granted { 2 } else { 0 });
        assert_eq!(root.reserved(), if granted { 6 } else { 0 });
        assert!(child.charge(5).is_err());
    });
}

/// The scope above both is full, and stays so: neither is the transfer refused, nor does anybody slip in.
#[test]
fn a_transfer_changes_nothing_above_both_scopes() {
    model(2, || {
        let root = scope(None, 10);
        let (from, to) = (scope(Some(&root), 10), scope(Some(&root), 10));
        let mut moved = from.try_reserve(7).unwrap();
        let other = to.clone();
        let thread = thread::spawn(move || {
            assert!(other.charge(4).is_err());
            other.charge(3).unwrap().keep();
        });
        moved.transfer_to(&to).unwrap();
        thread.join().unwrap();
        assert_eq!((root.reserved(), from.reserved(), to.used()), (10, 0, 10));
        assert_eq!(root.peak(), 10);
        drop(moved);
        assert_eq!((root.used(), to.used()), (3, 3));
    });
}

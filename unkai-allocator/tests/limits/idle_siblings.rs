//! Nobody is refused for bytes that lie idle in the stocks of others, whoever owns them and wherever they sleep.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use unkai_allocator::{Bounds, Scope};

use crate::tree::DEPTHS;
use crate::turn::my_turn;

const SIBLINGS: usize = 8;
/// More than all siblings ask for at once while they gather their stocks.
const LIMIT: usize = 8 << 20;

/// A scope `levels` below `root`, or `root` itself.
fn below(root: &Scope, levels: usize) -> Scope {
    let mut scope = root.clone();
    for _ in 0..levels {
        scope = scope.child("sibling").build().unwrap();
    }
    scope
}

/// Allocates and frees, so that something is left in stock; holds `kept` bytes in the end.
fn gather_stock(scope: &Scope, kept: usize) {
    for bytes in (1..3000).step_by(7) {
        scope.charge(bytes).unwrap().keep();
    }
    for bytes in (1..3000).step_by(7) {
        scope.uncharge(bytes);
    }
    if kept > 0 {
        scope.charge(kept).unwrap().keep();
    }
}

fn in_stock(root: &Scope) -> usize {
    let snapshot = root.snapshot(Bounds::all());
    snapshot.scopes().iter().map(|scope| scope.stock).sum()
}

#[test]
fn the_last_byte_is_had_though_siblings_sleep_on_stock() {
    let _turn = my_turn();
    for depth in DEPTHS {
        let root = Scope::root("root").limit(LIMIT).build().unwrap();
        let gathered = Barrier::new(SIBLINGS + 1);
        let over = Barrier::new(SIBLINGS + 1);
        thread::scope(|threads| {
            for _ in 0..SIBLINGS {
                threads.spawn(|| {
                    // Owned by this thread alone, which sleeps.
                    let sibling = below(&root, depth - 1);
                    gather_stock(&sibling, 1);
                    gathered.wait();
                    over.wait();
                    sibling.uncharge(1);
                });
            }
            gathered.wait();
            let asker = below(&root, depth - 1);
            let idle = in_stock(&root);
            println!("depth {depth}: {idle} bytes lie idle");
            assert!(idle > 0, "otherwise it shows nothing");
            // All at once; and the last byte for itself.
            let attempts = [LIMIT - SIBLINGS, 1].map(|last| {
                let most = asker.try_reserve(LIMIT - SIBLINGS - last);
                let rest = asker.try_reserve(last);
                let used = root.used();
                let beyond = asker.try_reserve(1).map(drop);
                (most.map(drop), rest.map(drop), used, beyond)
            });
            // Nobody is left asleep when an attempt has failed.
            over.wait();
            for (most, rest, used, beyond) in attempts {
                most.unwrap();
                rest.unwrap();
                assert_eq!((used, beyond.unwrap_err().used()), (LIMIT, LIMIT));
            }
        });
        assert_eq!(root.used(), 0);
    }
}

#[test]
fn the_last_byte_is_had_though_other_threads_sleep_on_stock_of_the_same_scope() {
    let _turn = my_turn();
    for depth in DEPTHS {
        let root = Scope::root("root").limit(LIMIT).build().unwrap();
        let scope = below(&root, depth - 1);
        let together = Barrier::new(SIBLINGS + 1);
        thread::scope(|threads| {
            for _ in 0..SIBLINGS {
                threads.spawn(|| {
                    together.wait();
                    for _ in 0..50 {
                        gather_stock(&scope, 0);
                    }
                    together.wait();
                    together.wait();
                });
            }
            together.wait();
            together.wait();
            let idle = in_stock(&root);
            println!("depth {depth}: {idle} bytes lie idle");
            assert!(idle > 0, "otherwise it shows nothing");
            let all = scope.try_reserve(LIMIT).map(drop);
            together.wait();
            all.unwrap();
        });
    }
}

#[test]
fn several_askers_share_the_last_bytes_out_among_them() {
    let _turn = my_turn();
    const ASKERS: usize = 4;
    for depth in DEPTHS {
        for round in 0..60 {
            let root = Scope::root("root").limit(LIMIT).build().unwrap();
            let gathered = Barrier::new(SIBLINGS + ASKERS);
            let over = Barrier::new(SIBLINGS + ASKERS);
            let had = AtomicUsize::new(0);
            thread::scope(|threads| {
                for _ in 0..SIBLINGS {
                    threads.spawn(|| {
                        let sibling = below(&root, depth - 1);
                        gather_stock(&sibling, 0);
                        gathered.wait();
                        over.wait();
                    });
                }
                for _ in 0..ASKERS {
                    threads.spawn(|| {
                        let asker = below(&root, depth - 1);
                        gathered.wait();
                        // Together exactly what there is: each must get its part, in whatever order.
                        let part = asker.try_reserve(LIMIT / ASKERS);
                        had.fetch_add(usize::from(part.is_ok()), Ordering::Relaxed);
                        over.wait();
                    });
                }
            });
            assert_eq!(had.into_inner(), ASKERS, "depth {depth}, round {round}");
            assert_eq!(root.used(), 0);
        }
    }
}

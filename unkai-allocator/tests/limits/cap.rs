//! The same hammering for another limit, `cap`'s, which subtracts first and looks then: for comparison, and to show that
//! the independent count would see a byte beyond.

use std::sync::Arc;

use cap::Cap;

use crate::counting::{Counting, Out};
use crate::hammer::{Outcome, Plan, hammer};
use crate::tree::Tree;
use crate::turn::{Within, my_turn, seed};

const LIMIT: usize = 16 << 10;

#[test]
fn beside_cap_ours_keeps_its_limit() {
    let _turn = my_turn();
    let plan = || Plan {
        seed: seed(2),
        steps: 400_000,
        largest: LIMIT / 64,
        within: Within::millis(2000),
    };
    let out = Arc::new(Out::default());
    let cap = Cap::new(Counting::at([Arc::clone(&out)]), LIMIT);
    let outcome = hammer(&[cap], plan());
    show("cap", outcome, out.most());
    assert_eq!(out.now(), 0);

    let tree = Tree::new(1, LIMIT);
    let outcome = hammer(&tree.allocators(), plan());
    let most = tree.levels[0].out.most();
    show("unkai", outcome, most);
    assert!(most <= LIMIT);
    assert!(outcome.refused > 2000 && outcome.granted > 2000);
    tree.assert_ends_at_zero();
}

fn show(name: &str, outcome: Outcome, most: usize) {
    println!(
        "seed {}, {name}: {outcome:?}; most out {most} of {LIMIT}, {} bytes beyond",
        seed(2),
        most.saturating_sub(LIMIT)
    );
}

//! The count inside the allocator never shows a byte beyond a limit, at any level.

use crate::hammer::{Plan, hammer};
use crate::tree::{DEPTHS, Tree};
use crate::turn::{Within, my_turn, seed};

/// A limit so close that stocks stay closed, and one with room for them.
const LIMITS: [usize; 2] = [16 << 10, 512 << 10];

#[test]
fn no_byte_is_ever_out_beyond_a_limit_at_any_level() {
    let _turn = my_turn();
    let seed = seed(1);
    for depth in DEPTHS {
        for limit in LIMITS {
            let tree = Tree::new(depth, limit);
            let outcome = hammer(
                &tree.allocators(),
                Plan {
                    seed,
                    steps: 250_000,
                    largest: limit / 64,
                    within: Within::millis(2000),
                },
            );
            let (beyond, levels) = tree.overshoot();
            println!(
                "seed {seed}, depth {depth}, limit {limit}: {outcome:?}; most out at the root {}; beyond {levels} limits: \
                 {beyond} bytes",
                tree.levels[0].out.most()
            );
            assert_eq!(beyond, 0);
            // Otherwise it would show nothing.
            assert!(outcome.refused > 2000 && outcome.granted > 2000);
            assert!(outcome.handed_over > 200);
            assert!(tree.levels[0].out.most() > limit / 2);
            tree.assert_ends_at_zero();
        }
    }
}

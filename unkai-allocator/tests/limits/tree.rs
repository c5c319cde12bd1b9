//! Trees of 1, 4 or 16 levels with limits at several of them, and an independent count at each.
//!
//! ```text
//!            root  limit L                   one level: the root alone
//!          ╱           ╲
//!   left  limit ¾ L     right                every other level down to the leaves has no limit
//!      │                  │
//!     ...                ...
//!    ╱    ╲             ╱    ╲
//!  leaf   leaf        leaf   leaf            of each two, the first has the limit ½ L
//! ```

use std::sync::Arc;

use unkai_allocator::{Bounds, Scope, Unkai};

use crate::counting::{Counting, Out};

pub(crate) const DEPTHS: [usize; 3] = [1, 4, 16];

pub(crate) struct Tree {
    /// Each after the one above it.
    pub(crate) levels: Vec<Level>,
    /// Places of the leaves.
    pub(crate) leaves: Vec<usize>,
}

pub(crate) struct Level {
    pub(crate) scope: Scope,
    pub(crate) out: Arc<Out>,
    /// Places of this level and of those above it.
    pub(crate) upwards: Vec<usize>,
}

impl Tree {
    pub(crate) fn new(depth: usize, limit: usize) -> Self {
        let root = Scope::root("root").limit(limit).build().unwrap();
        let mut tree = Self {
            levels: Vec::new(),
            leaves: Vec::new(),
        };
        let root = tree.add(root, None);
        if depth == 1 {
            tree.leaves.push(root);
            return tree;
        }
        for (side, limit_of_side) in [("left", Some(limit / 4 * 3)), ("right", None)] {
            let mut above = root;
            for place in 1..depth - 1 {
                let limit = match place {
                    1 => limit_of_side,
                    _ => (place % 2 == 1).then_some(limit / 8 * 7),
                };
                above = tree.child(above, side, limit);
            }
            for limit in [Some(limit / 2), None] {
                let leaf = tree.child(above, "leaf", limit);
                tree.leaves.push(leaf);
            }
        }
        assert_eq!(tree.levels.last().unwrap().upwards.len(), depth);
        tree
    }

    fn child(&mut self, above: usize, name: &str, limit: Option<usize>) -> usize {
        let scope = self.levels[above].scope.child(name).build().unwrap();
        scope.set_limit(limit);
        self.add(scope, Some(above))
    }

    fn add(&mut self, scope: Scope, above: Option<usize>) -> usize {
        let place = self.levels.len();
        let mut upwards = vec![place];
        if let Some(above) = above {
            upwards.extend(&self.levels[above].upwards);
        }
        self.levels.push(Level {
            scope,
            out: Arc::default(),
            upwards,
        });
        place
    }

    pub(crate) fn root(&self) -> &Scope {
        &self.levels[0].scope
    }

    /// An allocator for each leaf, counted at all levels above it.
    pub(crate) fn allocators(&self) -> Vec<Unkai<Counting>> {
        let each = self.leaves.iter().map(|&leaf| {
            let level = &self.levels[leaf];
            let outs = level.upwards.iter().map(|&place| &self.levels[place].out);
            Unkai::in_scope(Counting::at(outs.map(Arc::clone)), &level.scope)
        });
        each.collect()
    }

    /// By how many bytes the count was ever beyond a limit, at all limited levels together; and how many these are.
    pub(crate) fn overshoot(&self) -> (usize, usize) {
        let limited = self.levels.iter().filter_map(|level| {
            let limit = level.scope.limit()?;
            Some(level.out.most().saturating_sub(limit))
        });
        limited.fold((0, 0), |(bytes, levels), beyond| {
            (bytes + beyond, levels + 1)
        })
    }

    /// Nothing is in use, and after closing nothing is even reserved.
    pub(crate) fn assert_ends_at_zero(self) {
        for level in &self.levels {
            let usage = level.scope.usage();
            assert_eq!((usage.bytes, usage.blocks, level.out.now()), (0, 0, 0));
        }
        for level in self.levels.iter().rev() {
            assert_eq!(level.scope.clone().close(), Ok(()));
            assert_eq!(level.scope.reserved(), 0, "{}", level.scope.path());
        }
        assert_all_zero(self.root());
    }
}

/// Every scope from `root` down has nothing in use, nothing reserved, and no leak below it.
#[track_caller]
pub(crate) fn assert_all_zero(root: &Scope) {
    for scope in root.snapshot(Bounds::all()).scopes() {
        let bytes = (scope.used, scope.reserved, scope.stock, scope.leaked_bytes);
        assert_eq!(bytes, (0, 0, 0, 0), "{}", scope.path());
        assert_eq!(
            (scope.blocks, scope.leaked_blocks),
            (0, 0),
            "{}",
            scope.path()
        );
    }
}

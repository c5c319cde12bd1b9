//! A node of the tree: what a [`Scope`](super::Scope) is a handle to.
//!
//! ```text
//!             held ≤ limit                      held: bytes granted to this scope and all below it
//!          ┌──────────────┐                     credit: granted by the level above, and not yet used (`min`)
//!   root   │ held  credit │ ─▶ nothing above    stock: granted to this scope itself, ready for its next charge
//!          └──────┬───────┘
//!          ┌──────┴───────┐      the level above holds, for each child: its held + its credit
//!   child  │ held  credit │
//!          └──┬───────┬───┘
//!        stock│       │children
//!     ┌───────┴┐  ┌───┴────┐
//!     │ ready  │  │  ...   │     used = held − what is ready in stocks and credits at this level and below
//!     └────────┘  └────────┘
//! ```

use std::panic::Location;
use std::sync::Arc;

use super::bias::Biased;
use super::children::{Children, Siblings};
use super::crowd::Crowd;
use super::fork;
use super::gate::Gate;
use super::high::High;
use super::leak;
use super::reclaim::Reclaimers;
use super::stock::{Stock, sum_of_blocks};
use super::wait::Waiters;
use crate::sync::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// No limit: more than the address space has.
pub(super) const UNLIMITED: usize = usize::MAX;

/// The greatest depth of a scope, where a root has depth 0.
pub const MAX_DEPTH: usize = 63;

#[derive(Debug)]
#[repr(C)]
pub(super) struct Node {
    /// What every charge touches, on a cache line of its own.
    pub(super) front: Front,
    /// What moves when bytes move between levels.
    pub(super) level: Level,
    /// Read by every charge and almost never written, as what follows.
    pub(super) crowd: Crowd,
    pub(super) tree: Arc<Tree>,
    /// Where the part of `path` begins that is this node's own name.
    name_at: usize,
    path: Arc<str>,
    created_at: &'static Location<'static>,
    pub(super) children: Children,
    siblings: Siblings,
    pub(super) waiters: Waiters,
    pub(super) high: High,
    pub(super) events: Events,
}

#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Front {
    /// The stock that is lent to one thread, on a line of its own.
    pub(super) lent: Biased,
    /// The stock that threads share to which none is lent.
    pub(super) stock: Stock,
    /// See [`Scope::has_oversized_blocks`](super::Scope::has_oversized_blocks).
    pub(super) oversized_blocks: AtomicBool,
}

#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Level {
    /// Invariant: at most `limit`, except after the limit was lowered below it; then it only falls.
    pub(super) held: AtomicUsize,
    /// Invariant: `held` without what the inner allocator may still refuse.
    pub(super) sure: AtomicUsize,
    pub(super) limit: AtomicUsize,
    /// Up to here `sure` may rise without first emptying the stocks below: what bounds the error of `peak`.
    pub(super) fence: AtomicUsize,
    /// Invariant: the highest `sure`.
    pub(super) peak: AtomicUsize,
    /// Invariant: the level above holds these bytes too, beside `held`.
    pub(super) credit: AtomicUsize,
    pub(super) min: AtomicUsize,
    pub(super) parent: Option<Arc<Node>>,
    pub(super) depth: usize,
}

/// What all nodes of a tree share.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) gate: Gate,
    pub(super) reclaimers: Reclaimers,
    pub(super) leaks: leak::Hook,
}

/// Counters of what happened, for snapshots.
#[derive(Debug)]
pub(super) struct Events {
    pub(super) refused: AtomicU64,
    pub(super) high: AtomicU64,
    pub(super) reclaimed_bytes: AtomicU64,
    pub(super) waits: AtomicU64,
    pub(super) waited_nanos: AtomicU64,
    /// Bytes and blocks that dropped children still held.
    pub(super) leaked_bytes: AtomicUsize,
    pub(super) leaked_blocks: AtomicUsize,
    pub(super) closed: AtomicBool,
}

impl Node {
    pub(super) fn new(
        parent: Option<Arc<Self>>,
        name: &str,
        limit: usize,
        high: usize,
        created_at: &'static Location<'static>,
    ) -> Arc<Self> {
        let (path, name_at, depth, tree) = match &parent {
            None => (Arc::from(name), 0, 0, Arc::new(Tree::new())),
            Some(parent) => {
                let mut path = String::with_capacity(parent.path.len() + 1 + name.len());
                path.push_str(&parent.path);
                path.push('/');
                path.push_str(name);
                (
                    Arc::from(path),
                    parent.path.len() + 1,
                    parent.level.depth + 1,
                    Arc::clone(&parent.tree),
                )
            }
        };
        let node = Arc::new(Self {
            front: Front {
                lent: Biased::new(),
                stock: Stock::new(),
                oversized_blocks: AtomicBool::new(false),
            },
            level: Level {
                held: AtomicUsize::new(0),
                sure: AtomicUsize::new(0),
                limit: AtomicUsize::new(limit),
                fence: AtomicUsize::new(0),
                peak: AtomicUsize::new(0),
                credit: AtomicUsize::new(0),
                min: AtomicUsize::new(0),
                parent,
                depth,
            },
            crowd: Crowd::new(),
            children: Children::new(),
            siblings: Siblings::new(),
            waiters: Waiters::new(),
            high: High::new(high),
            events: Events::new(),
            name_at,
            path,
            created_at,
            tree,
        });
        if let Some(parent) = node.parent() {
            parent.children.link(&node);
        }
        node
    }

    /// All stocks that are lent to threads, or could be.
    pub(super) fn lent_stocks(&self) -> impl Iterator<Item = &Biased> {
        std::iter::once(&self.front.lent).chain(self.crowd.stocks())
    }

    /// Bytes that lie ready for this scope itself.
    pub(super) fn in_own_stocks(&self) -> usize {
        let lent: usize = self.lent_stocks().map(Biased::bytes).sum();
        lent + self.front.stock.bytes()
    }

    /// This node and all below it, each before those below it. No scope may be created or dropped in `each`.
    pub(super) fn for_each_below(&self, each: &mut dyn FnMut(&Self)) {
        each(self);
        self.children.for_each(|child| child.for_each_below(each));
    }

    /// This node and all above it, upwards.
    pub(super) fn upwards(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |node| node.parent())
    }

    #[inline]
    pub(super) fn parent(&self) -> Option<&Self> {
        self.level.parent.as_deref()
    }

    /// Whether `above` is this node or one above it. Null is not.
    pub(super) fn is_under(&self, above: *const Self) -> bool {
        self.upwards().any(|node| std::ptr::eq(node, above))
    }

    pub(super) fn siblings(&self) -> &Siblings {
        &self.siblings
    }

    pub(super) fn path(&self) -> &Arc<str> {
        &self.path
    }

    pub(super) fn name(&self) -> &str {
        &self.path[self.name_at..]
    }

    /// Where in `path` the name begins.
    pub(super) fn name_at(&self) -> usize {
        self.name_at
    }

    pub(super) fn created_at(&self) -> &'static Location<'static> {
        self.created_at
    }

    /// Blocks charged to this scope itself.
    pub(super) fn own_blocks(&self) -> usize {
        let lent = self.lent_stocks().map(Biased::blocks);
        sum_of_blocks(lent.chain([self.front.stock.blocks()]))
    }

    /// Blocks charged to this scope and to all below it.
    pub(super) fn blocks(&self) -> usize {
        let mut blocks = 0;
        self.for_each_below(&mut |node| {
            blocks += node.own_blocks() + node.events.leaked_blocks.load(Ordering::Relaxed);
        });
        blocks
    }

    /// What would be held here if all stocks here and below were called in.
    pub(super) fn held_at_least(&self) -> usize {
        let mut held = self.level.held.load(Ordering::Acquire);
        held = held.saturating_sub(self.in_own_stocks());
        self.children.for_each(|child| {
            let granted = child.held_at_least().max(child.min());
            held = held.saturating_sub(child.reserved()) + granted;
        });
        held
    }

    /// What the level above guarantees. A root has none.
    pub(super) fn min(&self) -> usize {
        match self.parent() {
            Some(_) => self.level.min.load(Ordering::Relaxed),
            None => 0,
        }
    }

    /// Bytes held here that are not used: in stocks here and below, and in credits below.
    fn ready(&self) -> usize {
        let mut ready = 0;
        self.for_each_below(&mut |node| {
            ready += node.in_own_stocks();
            // A node's credit is counted in what the level above holds.
            if !std::ptr::eq(node, self) {
                ready += node.level.credit.load(Ordering::Acquire);
            }
        });
        ready
    }

    /// Bytes used here and below: exact at rest, and otherwise as of some moment, if the reader is not disturbed again and again.
    pub(super) fn used(&self) -> usize {
        let mut held = self.level.held.load(Ordering::Acquire);
        for _ in 0..8 {
            let ready = self.ready();
            let now = self.level.held.load(Ordering::Acquire);
            if now == held {
                return held.saturating_sub(ready);
            }
            held = now;
        }
        held.saturating_sub(self.ready())
    }

    /// Bytes that the level above has granted: never less than what is used.
    pub(super) fn reserved(&self) -> usize {
        let level = &self.level;
        level.held.load(Ordering::Acquire) + level.credit.load(Ordering::Acquire)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Nobody else has a handle, and no children are left, for they would hold this node. Who looks at all nodes below
        // another is kept away by the lock of the list, and does not come by again.
        let (held, blocks) = {
            let _pass = self.tree.gate.enter(self);
            if let Some(parent) = self.parent() {
                parent.children.unlink(self);
            }
            for stock in self.lent_stocks() {
                self.lower(self.take_over(stock.dissolve()));
            }
            self.close_stocks(None);
            self.level.min.store(0, Ordering::Relaxed);
            let credit = self.take_excess_credit();
            let held = self.level.held.load(Ordering::Acquire);
            let blocks = self.own_blocks() + self.events.leaked_blocks.load(Ordering::Relaxed);
            if let Some(parent) = self.parent() {
                parent.lower(credit);
                // What is still held stays held above, on a line of its own.
                let events = &parent.events;
                events.leaked_bytes.fetch_add(held, Ordering::Relaxed);
                events.leaked_blocks.fetch_add(blocks, Ordering::Relaxed);
            }
            (held, blocks)
        };
        if let Some(parent) = self.parent() {
            parent.tell();
        }
        if held > 0 {
            self.tree.leaks.report(self, held, blocks);
        }
    }
}

impl Tree {
    fn new() -> Self {
        fork::take_care();
        Self {
            gate: Gate::new(),
            reclaimers: Reclaimers::new(),
            leaks: leak::Hook::new(),
        }
    }
}

impl Events {
    fn new() -> Self {
        Self {
            refused: AtomicU64::new(0),
            high: AtomicU64::new(0),
            reclaimed_bytes: AtomicU64::new(0),
            waits: AtomicU64::new(0),
            waited_nanos: AtomicU64::new(0),
            leaked_bytes: AtomicUsize::new(0),
            leaked_blocks: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        }
    }
}

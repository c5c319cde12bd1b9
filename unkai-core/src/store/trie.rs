//! Call stacks, as a tree of return addresses that only grows.
//!
//! A node is a pair (parent, return address); a stack is the path from a root to the node of its innermost frame, and
//! that node's number stands for the whole stack. Stacks share their outer frames, so a further stack costs a few nodes.
//!
//! ```text
//!  index (levels of hash slots)             nodes (dense, in order of creation)
//!  ┌──────────┬──────────┬───┐              ┌───┬─────────────────────────────────────┐
//!  │ tag │ id │ tag │ id │ … │ ───────────▶ │ 0 │ root of whole stacks                │
//!  └──────────┴──────────┴───┘              │ 1 │ root of stacks without outer frames │
//!   a window of eight for each (parent,     │ 2 │ parent 0, address of main           │
//!   address); full windows overflow into    │ 3 │ parent 2, …                         │
//!   the same key's window one level up      └───┴─────────────────────────────────────┘
//! ```
//!
//! Invariants:
//! * Nothing is ever moved, changed or removed: a node's parent and address are written before its number is published.
//! * A key is in the first level whose window had room when it was added. A window only fills, so a key that is not in a
//!   window that has room is nowhere; therefore two threads that add the same key end up with the same node.
//! * Memory is bounded: with all nodes taken, a stack is known by its deepest known outer part.

use super::once::Once;
use super::region::{Region, Zeroable};
use crate::entered::Entered;
use crate::losses::Cause;
use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// Number of a node, and thereby of a call stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct NodeId(u32);

impl NodeId {
    /// The empty stack, and root of all stacks that are known to their outermost frame.
    pub(crate) const ROOT: Self = Self(0);
    /// Root of all stacks whose outer frames are missing.
    pub(crate) const TRUNCATED: Self = Self(1);

    pub(crate) fn from_number(number: u32) -> Self {
        Self(number)
    }

    pub(crate) fn number(self) -> u32 {
        self.0
    }
}

/// The answer to [`Trie::intern`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interned {
    /// The node of the whole stack.
    Whole(NodeId),
    /// There is no room or no memory, as the cause says: the node of the longest outer part of the stack that is known.
    Prefix(NodeId, Cause),
}

#[derive(Debug, Default)]
struct Node {
    /// Return address. 0 for roots only.
    address: AtomicU64,
    parent: AtomicU32,
    /// The site that counts this stack, once one does; 0 before.
    site: AtomicU32,
    /// A child that was looked up lately: the common case of a hot stack needs no hash.
    hint: AtomicU32,
    /// 1 if the table was full when a stack beyond this node was asked for.
    is_prefix: AtomicU32,
}

// SAFETY: all fields are atomic integers, for which zero is valid; no `Drop`.
unsafe impl Zeroable for Node {}

/// The table of call stacks.
#[derive(Debug)]
pub(crate) struct Trie {
    nodes: Region<Node>,
    used: AtomicU32,
    levels: [Once<Region<AtomicU64>>; LEVELS],
}

impl Trie {
    /// A trie of at most `capacity` nodes, the two roots included.
    pub(crate) fn new(capacity: u32) -> Option<Self> {
        let nodes = Region::<Node>::new(capacity.max(ROOTS + 1) as usize)?;
        Some(Self {
            nodes,
            used: AtomicU32::new(ROOTS),
            levels: std::array::from_fn(|_| Once::new()),
        })
    }

    /// The number of the stack `frames` (innermost first) below `root`, which is added if it is new.
    ///
    /// `spare` is a node that the calling thread holds in reserve (0 if none): a node that was taken, but that another
    /// thread turned out to have added meanwhile, is kept there for the next need.
    pub(crate) fn intern(
        &self,
        _inside: &Entered,
        root: NodeId,
        frames: &[u64],
        spare: &mut u32,
    ) -> Interned {
        let mut node = root;
        for &address in frames.iter().rev() {
            match self.child(node, address, spare) {
                Ok(child) => node = child,
                Err(cause) => return Interned::Prefix(node, cause),
            }
        }
        Interned::Whole(node)
    }

    /// Walks a stack back from its number: puts its return addresses into `frames`, innermost first, and returns its root.
    pub(crate) fn read_stack(&self, id: NodeId, frames: &mut Vec<u64>) -> NodeId {
        frames.clear();
        let mut id = id;
        while id.0 >= ROOTS {
            let node = &self.nodes[id.0 as usize];
            frames.push(node.address.load(Ordering::Relaxed));
            id = NodeId(node.parent.load(Ordering::Relaxed));
        }
        id
    }

    /// The return addresses of a stack, innermost first, and its root.
    #[cfg(test)]
    pub(crate) fn stack_of(&self, id: NodeId) -> (Vec<u64>, NodeId) {
        let mut frames = Vec::new();
        let root = self.read_stack(id, &mut frames);
        (frames, root)
    }

    /// The cell that holds the site of a stack.
    pub(crate) fn site_of(&self, id: NodeId) -> &AtomicU32 {
        &self.nodes[id.0 as usize].site
    }

    /// Notes that a stack beyond this node could not be added.
    pub(crate) fn set_prefix(&self, id: NodeId) {
        self.nodes[id.0 as usize]
            .is_prefix
            .store(1, Ordering::Relaxed);
    }

    /// Whether this node also stands for stacks that could not be added.
    pub(crate) fn is_prefix(&self, id: NodeId) -> bool {
        self.nodes[id.0 as usize].is_prefix.load(Ordering::Relaxed) != 0
    }

    pub(crate) fn used(&self) -> u64 {
        u64::from(self.used.load(Ordering::Relaxed))
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.nodes.len() as u64
    }

    /// Bytes in use and at most, over nodes and index.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        let slot = size_of::<AtomicU64>() as u64;
        let levels = |wanted: &dyn Fn(usize) -> bool| -> u64 {
            (0..LEVELS)
                .filter(|&level| wanted(level))
                .map(|level| self.slots(level) as u64 * slot)
                .sum()
        };
        let node = size_of::<Node>() as u64;
        let used = self.used() * node + levels(&|level| self.levels[level].get().is_some());
        (used, self.capacity() * node + levels(&|_| true))
    }

    fn child(&self, parent: NodeId, address: u64, spare: &mut u32) -> Result<NodeId, Cause> {
        let hint = &self.nodes[parent.0 as usize].hint;
        // Acquire: pairs with the Release below, so that the child's fields are seen.
        let hinted = NodeId(hint.load(Ordering::Acquire));
        if hinted.0 != 0 && self.is(hinted, parent, address) {
            return Ok(hinted);
        }
        let child = self.find_or_add(parent, address, spare)?;
        // Release: pairs with the Acquire above.
        hint.store(child.0, Ordering::Release);
        Ok(child)
    }

    fn find_or_add(&self, parent: NodeId, address: u64, spare: &mut u32) -> Result<NodeId, Cause> {
        let hash = hash(parent, address);
        let tag = hash & TAG;
        for level in 0..LEVELS {
            let Some(slots) = self.level(level)? else {
                break;
            };
            let start = window_start(hash, slots.len());
            for slot in &slots[start..start + WINDOW] {
                // Acquire: pairs with the Release of the exchange, so that the node's fields are seen.
                let mut entry = slot.load(Ordering::Acquire);
                if entry == 0 {
                    let id = self
                        .take_node(parent, address, spare)
                        .ok_or(Cause::StacksFull)?;
                    // Release: the node's fields before its number. Acquire: the other's fields, if it was first.
                    match slot.compare_exchange(
                        0,
                        tag | u64::from(id.0),
                        Ordering::Release,
                        Ordering::Acquire,
                    ) {
                        Ok(_) => {
                            *spare = 0;
                            return Ok(id);
                        }
                        Err(other) => entry = other,
                    }
                }
                let id = NodeId(entry as u32);
                if entry & TAG == tag && self.is(id, parent, address) {
                    return Ok(id);
                }
            }
        }
        Err(Cause::StacksFull)
    }

    fn is(&self, id: NodeId, parent: NodeId, address: u64) -> bool {
        let node = &self.nodes[id.0 as usize];
        node.address.load(Ordering::Relaxed) == address
            && node.parent.load(Ordering::Relaxed) == parent.0
    }

    /// A node with these fields that nobody else knows yet; it stays in `spare` until it is published.
    fn take_node(&self, parent: NodeId, address: u64, spare: &mut u32) -> Option<NodeId> {
        if *spare == 0 {
            let taken = self
                .used
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                    ((used as usize) < self.nodes.len()).then_some(used + 1)
                });
            *spare = taken.ok()?;
        }
        let node = &self.nodes[*spare as usize];
        node.address.store(address, Ordering::Relaxed);
        node.parent.store(parent.0, Ordering::Relaxed);
        Some(NodeId(*spare))
    }

    /// A level, which is made if need be. `None` beyond the last.
    fn level(&self, level: usize) -> Result<Option<&Region<AtomicU64>>, Cause> {
        if let Some(slots) = self.levels[level].get() {
            return Ok(Some(slots));
        }
        let slots = self.slots(level);
        if slots == 0 {
            return Ok(None);
        }
        let region = Region::new(slots).ok_or(Cause::OwnMemoryRefused)?;
        // If another thread was first, its level is used and this one unmapped.
        let kept = self.levels[level].set(region);
        kept.map(Some).ok_or(Cause::OwnMemoryRefused)
    }

    /// Slots of a level: each level is eight times the one before, up to twice the number of nodes; 0 if there is none.
    fn slots(&self, level: usize) -> usize {
        let wanted = (self.nodes.len() * 2).next_power_of_two().max(WINDOW);
        let first = FIRST_LEVEL.min(wanted);
        if level > 0 && first << (3 * (level - 1)) >= wanted {
            return 0;
        }
        (first << (3 * level)).min(wanted)
    }
}

fn hash(parent: NodeId, address: u64) -> u64 {
    let mut hash = address ^ u64::from(parent.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for factor in [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb_u64] {
        hash = (hash ^ (hash >> 31)).wrapping_mul(factor);
    }
    hash ^ (hash >> 32)
}

fn window_start(hash: u64, slots: usize) -> usize {
    // The tag is the upper half of the hash, so the window comes from the lower.
    (hash as u32 as usize & (slots - 1)) & !(WINDOW - 1)
}

const ROOTS: u32 = 2;
const TAG: u64 = 0xffff_ffff_0000_0000;

/// Slots that a key may stand in on one level: one cache line.
#[cfg(not(loom))]
const WINDOW: usize = 8;
#[cfg(loom)]
const WINDOW: usize = 2;

#[cfg(not(loom))]
const FIRST_LEVEL: usize = 1024;
#[cfg(loom)]
const FIRST_LEVEL: usize = 2;

const LEVELS: usize = 6;

#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(all(test, loom))]
mod models;

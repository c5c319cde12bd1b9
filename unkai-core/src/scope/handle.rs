//! [`Scope`]: the handle to a node of the tree.

use std::fmt;
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::sync::Arc;

use super::builder::ScopeBuilder;
use super::high::{High, HighEvent};
use super::leak::Leak;
use super::levels::Raised;
use super::node::{Node, UNLIMITED};
use super::reclaim::{Reclaimer, Reclaimers, Registration};
use super::refusal::{Refusal, Refused};
use super::reservation::Reservation;
use super::stock::Blocks;
use super::view::{Bounds, TreeSnapshot};
use super::wait::{OnExhausted, Reserve};
use crate::sync::Ordering;

/// A place in a tree of accounts: a process, a tenant, a query, a cache, a collection.
///
/// Bytes that are charged to a scope count for it and for all scopes above it, and none of them ever holds more than its
/// limit. A clone is another handle to the same scope. The scope lives while there is a handle to it, or to one below.
///
/// Not for memory that must not fail: a scope refuses. All methods may be called from any thread.
///
/// # Costs
/// A charge and its uncharge are some thirty instructions each for the thread to which the scope has lent a stock, and an
/// atomic exchange each for others, whatever the depth of the tree; now and then a batch of bytes is moved through all
/// levels. A scope takes one allocation of some 600 bytes, and one for its path.
///
/// ```
/// use unkai_core::Scope;
///
/// let process = Scope::root("process").limit(1 << 20).build()?;
/// let query = process.child("query 7").limit(64 << 10).build()?;
///
/// query.charge(50_000)?.keep(); // the inner allocator served it
/// drop(query.charge(9_000)?); // the inner allocator refused it
/// assert!(query.charge(20_000).is_err()); // the limit refused it
///
/// assert_eq!((query.used(), process.used()), (50_000, 50_000));
/// query.uncharge(50_000);
/// assert_eq!((query.used(), process.used()), (0, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Scope {
    node: Arc<Node>,
}

impl Scope {
    /// A new tree: the builder of its root.
    #[track_caller]
    pub fn root(name: &str) -> ScopeBuilder<'_> {
        ScopeBuilder::new(None, name, Location::caller())
    }

    /// The builder of a scope below this one.
    ///
    /// The name need not be unique. The child keeps this scope alive; dropping the handle to a parent changes nothing for
    /// its children.
    #[track_caller]
    pub fn child<'n>(&'n self, name: &'n str) -> ScopeBuilder<'n> {
        ScopeBuilder::new(Some(&self.node), name, Location::caller())
    }

    pub(super) fn from_node(node: Arc<Node>) -> Self {
        Self { node }
    }

    pub(super) fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Charges a new block of `bytes`, before it is asked for.
    ///
    /// [Keep](Charge::keep) the charge when the block was served; drop it when not. A block of zero bytes is not charged.
    ///
    /// # Errors
    /// When a limit refuses, here or above: [`last_refusal`](super::last_refusal) says which. Nothing is charged then.
    #[inline]
    pub fn charge(&self, bytes: usize) -> Result<Charge<'_>, Refused> {
        self.resize(0, bytes)
    }

    /// Charges the change of a block from `old_bytes` to `new_bytes`, before it is asked for: growth at once, and a
    /// reduction only when the charge is [kept](Charge::keep), after the memory has really been given back.
    ///
    /// # Errors
    /// As [`charge`](Self::charge). A reduction is never refused.
    #[inline]
    pub fn resize(&self, old_bytes: usize, new_bytes: usize) -> Result<Charge<'_>, Refused> {
        let raised = if new_bytes > old_bytes {
            self.node
                .charge(new_bytes - old_bytes, Blocks::one_if(old_bytes == 0))?
        } else {
            None
        };
        Ok(Charge {
            node: &self.node,
            old_bytes,
            new_bytes,
            raised,
        })
    }

    /// Takes a block of `bytes` out, after it has been freed.
    ///
    /// It must have been charged here, or to a clone of this handle. Debug builds panic where more is given back than was
    /// taken and it can be seen.
    #[inline]
    pub fn uncharge(&self, bytes: usize) {
        if bytes > 0 {
            self.node.uncharge(bytes, Blocks::One);
        }
    }

    /// Reserves `bytes` for memory that no allocator of this tree sees, until the [`Reservation`] is dropped.
    ///
    /// # Errors
    /// When a limit refuses, here or above, after reclaimers were asked.
    pub fn try_reserve(&self, bytes: usize) -> Result<Reservation, Refusal> {
        Reservation::take(self, bytes)
    }

    /// Reserves `bytes`, and may wait for them: see [`Reserve`], a future.
    pub fn reserve(&self, bytes: usize, on_exhausted: OnExhausted) -> Reserve {
        Reserve::new(self, bytes, on_exhausted)
    }

    /// Bytes in use here and in all scopes below.
    ///
    /// Exact while nothing is charged or uncharged. Otherwise it is the number of some moment during the call, or, if the
    /// scopes change all the time, close to it. Looks at each scope below: for something that is read often and may be a
    /// little too large, take [`reserved`](Self::reserved).
    pub fn used(&self) -> usize {
        self.node.used()
    }

    /// Bytes granted to this scope and all below it: those in use, those that lie ready in their stocks (64 KiB at most
    /// for each thread that charges a scope), and those guaranteed by [`min`](ScopeBuilder::min).
    ///
    /// Never less than what is used, and never more than the limit, or the guarantee if that is larger. Two loads.
    pub fn reserved(&self) -> usize {
        self.node.reserved()
    }

    /// The most bytes that were ever used at the same time, here and below; guarantees below count as used.
    ///
    /// Never too low, and never with a request that was refused (but above three nested guarantees, with one that the inner
    /// allocator refused). Too high by 1/64 at most, and, where other threads charge at the very moment of a new peak, by
    /// what lies ready for each of them: 64 KiB.
    pub fn peak(&self) -> usize {
        self.node.level.peak.load(Ordering::Acquire)
    }

    /// How many more bytes could be had here at this moment, if all that lies ready in stocks were called in: the least of
    /// what this scope's limit and the limits above leave. `None` if none of them has a limit.
    ///
    /// Looks at each scope below each of them: costly in a large tree.
    pub fn headroom(&self) -> Option<usize> {
        let mut room = None;
        // What guarantees on the way would pay.
        let mut prepaid = 0;
        for node in self.node.upwards() {
            let limit = node.level.limit.load(Ordering::Relaxed);
            let held = node.held_at_least();
            if limit != UNLIMITED {
                let here = limit.saturating_sub(held).saturating_add(prepaid);
                room = Some(room.map_or(here, |room: usize| room.min(here)));
            }
            prepaid += node.min().saturating_sub(held);
        }
        room
    }

    /// Bytes and blocks in use here and in all scopes below, and the peak.
    ///
    /// As [`used`](Self::used), in exactness and cost.
    pub fn usage(&self) -> Usage {
        Usage {
            bytes: self.used(),
            blocks: self.node.blocks(),
            peak_bytes: self.peak(),
        }
    }

    /// The names from the root down to this scope, with `/` between them.
    pub fn path(&self) -> &str {
        self.node.path()
    }

    /// The scope's own name.
    pub fn name(&self) -> &str {
        self.node.name()
    }

    /// Where in the program the scope was created.
    pub fn created_at(&self) -> &'static Location<'static> {
        self.node.created_at()
    }

    /// The scope above this one.
    pub fn parent(&self) -> Option<Self> {
        self.node.level.parent.clone().map(Self::from_node)
    }

    /// Whether both are handles to the same scope.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.node, &other.node)
    }

    /// The limit in bytes, if there is one.
    pub fn limit(&self) -> Option<usize> {
        Some(self.node.level.limit.load(Ordering::Relaxed)).filter(|&limit| limit != UNLIMITED)
    }

    /// The level in bytes at which [`on_high`](Self::on_high) is called, if there is one.
    pub fn high(&self) -> Option<usize> {
        Some(self.node.high.get()).filter(|&high| high != UNLIMITED)
    }

    /// The bytes guaranteed to this scope.
    pub fn min(&self) -> usize {
        self.node.level.min.load(Ordering::Relaxed)
    }

    /// Sets another `high`, or none.
    pub fn set_high(&self, high: Option<usize>) {
        let node = &self.node;
        {
            let mut held = node.tree.gate.hold();
            held.alone_under(node);
            node.high.set(high.unwrap_or(UNLIMITED), &node.level);
        }
        node.tell();
    }

    /// Calls `callback` each time that the scope rises to its [`high`](ScopeBuilder::high), once, and again only after it has
    /// fallen below 7/8 of it.
    ///
    /// It runs after the request was served that crossed the line, on the thread that asked, with no lock held. What lies
    /// ready in stocks counts, so it may come early by 64 KiB for each thread that charges; never late. It may allocate
    /// in the tree, but no other callback is called on its behalf; a panic in it is swallowed.
    pub fn on_high(
        &self,
        callback: impl Fn(&HighEvent<'_>) + Send + Sync + 'static,
    ) -> Registration {
        High::register(self, Arc::new(callback))
    }

    /// Registers code that can free memory of this scope, or of scopes below it, when a request is about to be refused
    /// here or above.
    ///
    /// Reclaimers with the lowest `priority` number are asked first. A request goes through all that can help at most
    /// three times, and asks no more of them after 100 ms.
    pub fn on_reclaim(&self, priority: i32, reclaimer: impl Reclaimer + 'static) -> Registration {
        Reclaimers::register(self, priority, Box::new(reclaimer))
    }

    /// Calls `callback` for each scope of this scope's tree that is dropped while it still holds bytes.
    ///
    /// There is one for a tree: a second call replaces the first. The bytes stay charged to the scopes above, which show
    /// them as leaked.
    pub fn on_leak(&self, callback: impl Fn(&Leak) + Send + Sync + 'static) {
        self.node.tree.leaks.set(Arc::new(callback));
    }

    /// A copy of the numbers of this scope and of those below it, within the bounds given.
    pub fn snapshot(&self, bounds: Bounds) -> TreeSnapshot {
        TreeSnapshot::of(&self.node, bounds)
    }

    /// Remembers that an allocator returned more bytes than it was asked for.
    #[doc(hidden)]
    #[inline]
    pub fn note_oversized_block(&self) {
        // Relaxed: whoever uses the block later has it from the thread that calls this, and so sees it as well.
        self.node
            .front
            .oversized_blocks
            .store(true, Ordering::Relaxed);
    }

    /// Whether an allocator that is charged here has ever returned more bytes than it was asked for.
    #[doc(hidden)]
    #[inline]
    pub fn has_oversized_blocks(&self) -> bool {
        self.node.front.oversized_blocks.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("path", &self.path())
            .field("usage", &self.usage())
            .field("limit", &self.limit())
            .finish_non_exhaustive()
    }
}

/// A change that was charged to a [`Scope`] and waits for the inner allocator's answer.
///
/// Dropping it undoes the charge, also when the inner allocator unwinds.
#[derive(Debug)]
#[must_use = "a charge that is not kept is undone"]
pub struct Charge<'s> {
    node: &'s Node,
    old_bytes: usize,
    new_bytes: usize,
    /// What of it is not sure yet.
    raised: Option<Raised>,
}

impl Charge<'_> {
    /// The inner allocator has served the request.
    #[inline]
    pub fn keep(self) {
        let charge = ManuallyDrop::new(self);
        if charge.new_bytes < charge.old_bytes {
            let blocks = Blocks::one_if(charge.new_bytes == 0);
            charge
                .node
                .uncharge(charge.old_bytes - charge.new_bytes, blocks);
        } else if let Some(raised) = charge.raised {
            charge.node.confirm(raised);
        }
    }
}

impl Drop for Charge<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.new_bytes > self.old_bytes {
            let bytes = self.new_bytes - self.old_bytes;
            let blocks = Blocks::one_if(self.old_bytes == 0);
            match self.raised {
                None => self.node.uncharge(bytes, blocks),
                Some(raised) => self.node.undo(bytes, blocks, raised),
            }
        }
    }
}

/// What a [`Scope`] holds: see [`Scope::usage`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Requested bytes (`Layout::size`) of the blocks that are held, of reservations, and of requests in flight.
    pub bytes: usize,
    /// The number of those blocks and reservations; blocks of zero bytes are not counted.
    pub blocks: usize,
    /// The most bytes that were ever held at the same time: see [`Scope::peak`] for its exactness.
    pub peak_bytes: usize,
}

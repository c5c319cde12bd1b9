//! [`TreeSnapshot`]: the numbers of a tree, copied, within bounds.
//!
//! Lists of children are locked while they are looked through, and nothing is allocated meanwhile: room for the copies is
//! made before, and once more if there turn out to be more scopes. Names are shared with the scopes, not copied.

use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use super::node::{MAX_DEPTH, Node, UNLIMITED};
use crate::sync::Ordering;

/// How much of a tree a [`TreeSnapshot`] shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    depth: usize,
    top: usize,
}

/// The numbers of a scope and of those below it, copied at about the same time.
///
/// Scopes are not stopped for it: numbers of different scopes may belong to slightly different moments.
///
/// ```
/// use unkai_core::{Bounds, Scope};
///
/// let process = Scope::root("process").limit(1 << 20).build()?;
/// let queries: Vec<_> = (0..10)
///     .map(|n| process.child("query").build()?.try_reserve(1000 * n).map_err(Into::into))
///     .collect::<Result<_, Box<dyn std::error::Error>>>()?;
///
/// let snapshot = process.snapshot(Bounds::new().top(3));
/// let used: Vec<_> = snapshot.scopes().iter().map(|scope| scope.used).collect();
/// assert_eq!(used, [45_000, 9000, 8000, 7000]);
/// assert_eq!(snapshot.scopes()[0].omitted.scopes, 7);
/// # drop(queries);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeSnapshot {
    scopes: Vec<ScopeSnapshot>,
}

/// The numbers of one scope.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScopeSnapshot {
    path: Arc<str>,
    name_at: usize,
    /// Levels below the scope that the snapshot was taken of.
    pub depth: usize,
    /// Where in the program the scope was created.
    pub created_at: &'static Location<'static>,
    /// Bytes in use, here and below.
    pub used: usize,
    /// Bytes granted: those in use, in stocks, and guaranteed.
    pub reserved: usize,
    /// Bytes that lie ready in the scope's own stocks.
    pub stock: usize,
    /// The most bytes used at the same time: see [`Scope::peak`](super::Scope::peak).
    pub peak: usize,
    /// Blocks and reservations, here and below.
    pub blocks: usize,
    /// The limit in bytes.
    pub limit: Option<usize>,
    /// The level at which callbacks are called, in bytes.
    pub high: Option<usize>,
    /// The guarantee in bytes.
    pub min: usize,
    /// Bytes that scopes directly below still held when they were dropped.
    pub leaked_bytes: usize,
    /// Their number of blocks.
    pub leaked_blocks: usize,
    /// Requests that this scope's limit refused, ever.
    pub refused: u64,
    /// How often it rose to `high`.
    pub high_events: u64,
    /// Bytes that reclaimers said they freed because this scope had no room.
    pub reclaimed_bytes: u64,
    /// Requests that waited here, ever.
    pub waits: u64,
    /// How long they have waited, together; not those that still wait.
    pub waited: Duration,
    /// How many wait now.
    pub waiting: usize,
    /// Whether it was closed.
    pub closed: bool,
    /// What the bounds leave out directly below this scope.
    pub omitted: Omitted,
}

/// Scopes that the bounds of a snapshot leave out: direct children of one scope, with what is below them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Omitted {
    /// How many direct children.
    pub scopes: usize,
    /// Bytes granted to them.
    pub reserved: usize,
}

impl Bounds {
    /// Eight levels, and the twenty largest scopes below each.
    pub const fn new() -> Self {
        Self { depth: 8, top: 20 }
    }

    /// At most `levels` below the scope that the snapshot is taken of: 0 shows it alone.
    pub const fn depth(mut self, levels: usize) -> Self {
        self.depth = levels;
        self
    }

    /// Below each scope, only the `scopes` to which most bytes are granted.
    pub const fn top(mut self, scopes: usize) -> Self {
        self.top = scopes;
        self
    }

    /// Everything.
    pub const fn all() -> Self {
        Self {
            depth: MAX_DEPTH,
            top: usize::MAX,
        }
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self::new()
    }
}

impl TreeSnapshot {
    pub(super) fn of(node: &Node, bounds: Bounds) -> Self {
        let mut collector = Collector {
            bounds,
            scopes: Vec::new(),
            largest: Vec::new(),
            missing_scopes: 0,
            missing_children: 0,
        };
        loop {
            collector.collect(node, 0);
            if collector.missing_scopes == 0 && collector.missing_children == 0 {
                return Self {
                    scopes: collector.scopes,
                };
            }
            collector.make_room();
        }
    }

    /// The scopes: each is followed by those below it, the largest first.
    pub fn scopes(&self) -> &[ScopeSnapshot] {
        &self.scopes
    }
}

impl ScopeSnapshot {
    /// The names from the root down to the scope, with `/` between them.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The scope's own name.
    pub fn name(&self) -> &str {
        &self.path[self.name_at..]
    }

    fn of(node: &Node, depth: usize) -> Self {
        let level = &node.level;
        let events = &node.events;
        let bytes_or_none = |bytes: usize| Some(bytes).filter(|&bytes| bytes != UNLIMITED);
        Self {
            path: Arc::clone(node.path()),
            name_at: node.name_at(),
            depth,
            created_at: node.created_at(),
            used: node.used(),
            reserved: node.reserved(),
            stock: node.in_own_stocks(),
            peak: level.peak.load(Ordering::Acquire),
            blocks: node.blocks(),
            limit: bytes_or_none(level.limit.load(Ordering::Relaxed)),
            high: bytes_or_none(node.high.get()),
            min: level.min.load(Ordering::Relaxed),
            leaked_bytes: events.leaked_bytes.load(Ordering::Relaxed),
            leaked_blocks: events.leaked_blocks.load(Ordering::Relaxed),
            refused: events.refused.load(Ordering::Relaxed),
            high_events: events.high.load(Ordering::Relaxed),
            reclaimed_bytes: events.reclaimed_bytes.load(Ordering::Relaxed),
            waits: events.waits.load(Ordering::Relaxed),
            waited: Duration::from_nanos(events.waited_nanos.load(Ordering::Relaxed)),
            waiting: node.waiters.count(),
            closed: events.closed.load(Ordering::Relaxed),
            omitted: Omitted::default(),
        }
    }
}

struct Collector {
    bounds: Bounds,
    scopes: Vec<ScopeSnapshot>,
    /// Children that are chosen, of all levels that are being looked through.
    largest: Vec<(usize, *const Node)>,
    /// How many entries there was no room for.
    missing_scopes: usize,
    missing_children: usize,
}

impl Collector {
    fn make_room(&mut self) {
        let scopes = self.scopes.len() + self.missing_scopes;
        let children = self.largest.capacity() + self.missing_children;
        self.scopes.clear();
        self.largest.clear();
        // Some more, as scopes may be created meanwhile.
        self.scopes.reserve(scopes + scopes / 8 + 16);
        self.largest.reserve(children + children / 8 + 16);
        self.missing_scopes = 0;
        self.missing_children = 0;
    }

    /// Copies `node` and what is below it. Allocates nothing: what there is no room for is counted.
    fn collect(&mut self, node: &Node, depth: usize) {
        if self.scopes.len() == self.scopes.capacity() {
            self.missing_scopes += 1;
            node.children
                .for_each(|child| self.collect(child, depth + 1));
            return;
        }
        let place = self.scopes.len();
        self.scopes.push(ScopeSnapshot::of(node, depth));
        let top = if depth < self.bounds.depth {
            self.bounds.top
        } else {
            0
        };
        let begin = self.largest.len();
        let mut omitted = Omitted::default();
        node.children.for_each_then(
            &mut (&mut *self, &mut omitted),
            |(this, omitted), child| {
                let reserved = child.reserved();
                omitted.scopes += 1;
                omitted.reserved += reserved;
                this.choose(begin, top, reserved, child);
            },
            |(this, omitted)| {
                for index in begin..this.largest.len() {
                    let (reserved, child) = this.largest[index];
                    omitted.scopes -= 1;
                    omitted.reserved -= reserved;
                    // SAFETY: a child of `node`, found in its list, which is still locked: it is alive, and shared.
                    this.collect(unsafe { &*child }, depth + 1);
                }
            },
        );
        self.largest.truncate(begin);
        self.scopes[place].omitted = omitted;
    }

    /// Keeps the `top` largest children from `begin` on, the largest first.
    fn choose(&mut self, begin: usize, top: usize, reserved: usize, child: *const Node) {
        let chosen = &self.largest[begin..];
        let place = begin + chosen.partition_point(|&(other, _)| other >= reserved);
        if place - begin >= top {
            return;
        }
        if chosen.len() == top {
            self.largest.pop();
        } else if self.largest.len() == self.largest.capacity() {
            self.missing_children += 1;
            return;
        }
        self.largest.insert(place, (reserved, child));
    }
}

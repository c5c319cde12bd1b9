//! Reclaimers: code of the user's that can free memory when a request would be refused, such as a cache that shrinks.
//!
//! They run on the thread that asks, before the refusal, with no lock of ours held. What such a thread itself asks for
//! while it reclaims is granted if there is room, and refused at once if not: a reclaimer never calls another.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::guarded;
use super::handle::Scope;
use super::lock::Lock;
use super::node::Node;
use crate::sync::{AtomicUsize, Ordering};

/// Frees memory when a request would otherwise be refused.
///
/// A closure `Fn(&ReclaimRequest) -> usize` is one, too.
pub trait Reclaimer: Send + Sync {
    /// Frees at least `request.bytes()`, or what it can. Returns how many bytes it has freed, for reports; whether it was
    /// enough is seen from the scopes themselves.
    ///
    /// Called from inside an allocation on any thread, and on several at once. The caller may hold locks of its own while
    /// it allocates: use `try_lock` for a lock that is also held around allocations in this tree. A panic counts as
    /// nothing freed.
    fn reclaim(&self, request: &ReclaimRequest<'_>) -> usize;

    /// How many bytes it could free at most. It is not asked to while this is 0.
    fn reclaimable(&self) -> usize {
        usize::MAX
    }
}

impl<F: Fn(&ReclaimRequest<'_>) -> usize + Send + Sync> Reclaimer for F {
    fn reclaim(&self, request: &ReclaimRequest<'_>) -> usize {
        self(request)
    }
}

/// What a reclaimer is asked for.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ReclaimRequest<'r> {
    path: &'r str,
    bytes: usize,
    deadline: Instant,
}

impl ReclaimRequest<'_> {
    /// The path of the scope that has no room.
    pub fn path(&self) -> &str {
        self.path
    }

    /// How many bytes should be freed: a quarter more than are missing, so that the next request need not ask again.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Until when. No further reclaimer is asked after it, but one that runs is not interrupted.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }
}

/// What reclaimers were asked for one request, and what they gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReclaimTried {
    /// How often reclaimers were called.
    pub calls: u32,
    /// Bytes that they say they have freed.
    pub bytes: usize,
    /// How many of the calls panicked.
    pub panics: u32,
    /// Whether none was called because the thread was inside one already.
    pub skipped: bool,
}

/// Keeps a reclaimer or a callback registered; dropping it ends that.
///
/// It keeps the scope alive. A call that is under way on another thread may still finish after the drop.
#[must_use = "dropping it takes the registration back"]
pub struct Registration(#[expect(dead_code, reason = "kept for its drop")] Box<dyn Revoke>);

/// What a registration does when it is dropped.
pub(super) trait Revoke: Send + Sync {}

impl Registration {
    pub(super) fn new(revoke: impl Revoke + 'static) -> Self {
        Self(Box::new(revoke))
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Registration")
    }
}

/// The reclaimers of a tree, the lowest priority number first.
pub(super) struct Reclaimers {
    entries: Lock<Vec<Arc<Entry>>>,
    /// Their number, to see without the lock that there are none.
    count: AtomicUsize,
}

struct Entry {
    node: Arc<Node>,
    priority: i32,
    reclaimer: Box<dyn Reclaimer>,
    /// How many threads are inside it.
    running: AtomicUsize,
}

impl Reclaimers {
    pub(super) fn new() -> Self {
        Self {
            entries: Lock::new(Vec::new()),
            count: AtomicUsize::new(0),
        }
    }

    pub(super) fn register(
        scope: &Scope,
        priority: i32,
        reclaimer: Box<dyn Reclaimer>,
    ) -> Registration {
        let entry = Arc::new(Entry {
            node: Arc::clone(scope.node()),
            priority,
            reclaimer,
            running: AtomicUsize::new(0),
        });
        let reclaimers = &scope.node().tree.reclaimers;
        let mut entries = reclaimers.entries.lock();
        let place = entries.partition_point(|other| other.priority <= priority);
        entries.insert(place, Arc::clone(&entry));
        reclaimers.count.store(entries.len(), Ordering::Relaxed);
        drop(entries);
        Registration::new(Registered(entry))
    }

    pub(super) fn rounds(&self, at: &Node, bytes: usize) -> Rounds {
        let skipped = guarded::is_inside();
        let any = self.count.load(Ordering::Relaxed) > 0
            && bytes <= at.level.limit.load(Ordering::Relaxed);
        Rounds {
            next: 0,
            round: 0,
            deadline: (any && !skipped).then(|| now() + RECLAIM_WITHIN),
            freed_in_round: false,
            others_ran: false,
            tried: ReclaimTried {
                skipped: any && skipped,
                ..ReclaimTried::default()
            },
        }
    }

    fn entry(&self, index: usize) -> Option<Arc<Entry>> {
        self.entries.lock().get(index).map(Arc::clone)
    }
}

impl fmt::Debug for Reclaimers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reclaimers")
            .field("count", &self.count)
            .finish()
    }
}

struct Registered(Arc<Entry>);

impl Revoke for Registered {}

impl Drop for Registered {
    fn drop(&mut self) {
        let reclaimers = &self.0.node.tree.reclaimers;
        let mut entries = reclaimers.entries.lock();
        let gone = entries
            .iter()
            .position(|entry| Arc::ptr_eq(entry, &self.0))
            .map(|place| entries.remove(place));
        reclaimers.count.store(entries.len(), Ordering::Relaxed);
        drop(entries);
        // Its drop runs the user's code: not under the lock.
        drop(gone);
    }
}

/// How long reclaimers may take together for one request.
const RECLAIM_WITHIN: Duration = Duration::from_millis(100);
/// The most rounds through all reclaimers for one request.
const ROUNDS: u32 = 3;

/// The search for memory on behalf of one request.
#[derive(Debug)]
pub(super) struct Rounds {
    /// The next reclaimer's place in the list.
    next: usize,
    round: u32,
    /// None: nobody is to be asked.
    deadline: Option<Instant>,
    freed_in_round: bool,
    others_ran: bool,
    tried: ReclaimTried,
}

impl Rounds {
    /// Calls the next reclaimer that could help `at`. Returns whether it is worth while to look again.
    pub(super) fn next(&mut self, at: &Node, bytes: usize) -> bool {
        let Some(deadline) = self.deadline else {
            return false;
        };
        while now() < deadline {
            let Some(entry) = at.tree.reclaimers.entry(self.next) else {
                // A round is over. Another only if this one helped, or if another thread was at it and may have.
                let hopeful = self.freed_in_round || (self.others_ran && self.round == 0);
                self.round += 1;
                if !hopeful || self.round == ROUNDS {
                    return false;
                }
                (self.next, self.freed_in_round, self.others_ran) = (0, false, false);
                return true;
            };
            self.next += 1;
            if !entry.node.is_under(at) {
                continue;
            }
            if entry.running.fetch_add(1, Ordering::Relaxed) > 0 {
                self.others_ran = true;
            }
            let freed = self.call(&entry, at, bytes, deadline);
            entry.running.fetch_sub(1, Ordering::Relaxed);
            if let Some(freed) = freed {
                self.freed_in_round |= freed > 0;
                at.events
                    .reclaimed_bytes
                    .fetch_add(freed as u64, Ordering::Relaxed);
                self.tried.bytes = self.tried.bytes.saturating_add(freed);
                return true;
            }
        }
        false
    }

    /// None if it has nothing to give.
    fn call(&mut self, entry: &Entry, at: &Node, bytes: usize, deadline: Instant) -> Option<usize> {
        let level = &at.level;
        let limit = level.limit.load(Ordering::Relaxed);
        let missing = level
            .held
            .load(Ordering::Relaxed)
            .saturating_add(bytes)
            .saturating_sub(limit);
        let request = ReclaimRequest {
            path: at.path(),
            bytes: missing.saturating_add(missing / 4),
            deadline,
        };
        let mut called = false;
        let freed = guarded::call(|| {
            let has = entry.reclaimer.reclaimable() > 0;
            has.then(|| {
                called = true;
                entry.reclaimer.reclaim(&request)
            })
        });
        match freed {
            Some(None) => None,
            Some(Some(freed)) => {
                self.tried.calls += 1;
                Some(freed)
            }
            None => {
                self.tried.calls += u32::from(called);
                self.tried.panics += 1;
                Some(0)
            }
        }
    }

    pub(super) fn tried(&self) -> ReclaimTried {
        self.tried
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the deadline of reclaimers: read only when a request is about to be refused"
)]
pub(super) fn now() -> Instant {
    Instant::now()
}

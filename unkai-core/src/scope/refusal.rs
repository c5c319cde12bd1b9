//! Why a request was refused.
//!
//! The error of an allocator says nothing, so the reason stays behind on the thread: [`last_refusal`].

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::charge::Decided;
use super::node::{Node, UNLIMITED};
use super::reclaim::ReclaimTried;
use crate::sync::Ordering;

/// How many of the largest consumers a refusal names.
const NAMED: usize = 5;

/// A charge was refused by a limit. [`last_refusal`] tells by which, and what stood in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

/// Which limit refused a request, and what stood in the way.
///
/// It is true at the moment of the decision: then, `used + requested > limit` at the scope named, with no byte of `used`
/// lying idle in a stock.
///
/// ```
/// use unkai_core::Scope;
///
/// let tenant = Scope::root("tenant 7").limit(1000).build()?;
/// let query = tenant.child("query").build()?;
/// let _rows = query.try_reserve(800)?;
///
/// let refusal = query.try_reserve(300).unwrap_err();
/// assert_eq!(refusal.path(), "tenant 7");
/// assert_eq!(refusal.asked_by(), "tenant 7/query");
/// assert_eq!((refusal.limit(), refusal.used(), refusal.requested()), (Some(1000), 800, 300));
/// assert_eq!(refusal.largest().next().unwrap().name(), "query");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Refusal(Box<Details>);

/// Why a level had no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusalCause {
    /// The request would have exceeded the limit.
    Limit,
    /// The scope was [closed](super::Scope::close).
    Closed,
}

/// A scope that stood in the way of a request: a child of the one that refused.
#[derive(Clone)]
pub struct Consumer {
    path: Arc<str>,
    name_at: usize,
    reserved: usize,
}

#[derive(Clone)]
pub(super) struct Details {
    path: Arc<str>,
    asked_by: Arc<str>,
    cause: RefusalCause,
    limit: usize,
    used: usize,
    reserved: usize,
    requested: usize,
    largest: [Option<Consumer>; NAMED],
    reclaim: ReclaimTried,
    pub(super) waited: Option<Duration>,
}

thread_local! {
    static LAST: RefCell<Option<Details>> = const { RefCell::new(None) };
}

/// The most recent refusal on this thread, whichever tree it came from.
///
/// It stays until the next one, or until [`forget_last_refusal`]. It holds names and numbers, no memory of the scopes.
pub fn last_refusal() -> Option<Refusal> {
    LAST.try_with(|last| last.try_borrow().ok()?.clone())
        .ok()
        .flatten()
        .map(Refusal::from)
}

/// Clears what [`last_refusal`] would tell on this thread, so that a later one cannot be mistaken for an earlier.
pub fn forget_last_refusal() {
    store(None);
}

pub(super) fn remember(details: Details) {
    store(Some(details));
}

fn store(details: Option<Details>) {
    // A thread that ends has no place for it any more: the refusal itself does not depend on it.
    let _ = LAST.try_with(|last| {
        if let Ok(mut last) = last.try_borrow_mut() {
            *last = details;
        }
    });
}

impl Details {
    pub(super) fn of(decided: Decided<'_>) -> Self {
        let at = decided.at;
        Self {
            path: Arc::clone(at.path()),
            asked_by: Arc::clone(decided.asked_by.path()),
            cause: if at.events.closed.load(Ordering::Relaxed) {
                RefusalCause::Closed
            } else {
                RefusalCause::Limit
            },
            limit: decided.limit,
            used: decided.used,
            reserved: decided.reserved,
            requested: decided.requested,
            largest: largest(at),
            reclaim: decided.reclaim,
            waited: None,
        }
    }
}

fn largest(at: &Node) -> [Option<Consumer>; NAMED] {
    let mut largest: [Option<Consumer>; NAMED] = Default::default();
    at.children.for_each(|child| {
        let reserved = child.reserved();
        let smaller = largest.iter().position(|other| match other {
            Some(other) => other.reserved < reserved,
            None => reserved > 0,
        });
        if let Some(place) = smaller {
            largest[place..].rotate_right(1);
            largest[place] = Some(Consumer {
                path: Arc::clone(child.path()),
                name_at: child.name_at(),
                reserved,
            });
        }
    });
    largest
}

impl From<Details> for Refusal {
    fn from(details: Details) -> Self {
        Self(Box::new(details))
    }
}

impl Refusal {
    /// The path of the scope whose limit refused: the names from the root down to it, with `/` between them.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// The path of the scope that asked: the same one, or one below it.
    pub fn asked_by(&self) -> &str {
        &self.0.asked_by
    }

    /// Whether the limit was in the way, or the scope was closed.
    pub fn cause(&self) -> RefusalCause {
        self.0.cause
    }

    /// The limit of that scope, in bytes. `None` if it has none, and the sum would have been beyond any address space.
    pub fn limit(&self) -> Option<usize> {
        Some(self.0.limit).filter(|&limit| limit != UNLIMITED)
    }

    /// Bytes that were in use there, with all scopes below it.
    pub fn used(&self) -> usize {
        self.0.used
    }

    /// Bytes that were granted to it: those used, and guarantees (`min`) of scopes below it that they have not used.
    pub fn reserved(&self) -> usize {
        self.0.reserved
    }

    /// Bytes that were asked for.
    pub fn requested(&self) -> usize {
        self.0.requested
    }

    /// What the reclaimers were asked, and what they gave.
    pub fn reclaim(&self) -> ReclaimTried {
        self.0.reclaim
    }

    /// How long the request had waited before it was refused, if it was one that waits.
    pub fn waited(&self) -> Option<Duration> {
        self.0.waited
    }

    /// The scopes directly below the one that refused that hold most, the largest first; five at most.
    pub fn largest(&self) -> impl Iterator<Item = &Consumer> {
        self.0.largest.iter().flatten()
    }
}

impl Consumer {
    /// The scope's own name.
    pub fn name(&self) -> &str {
        &self.path[self.name_at..]
    }

    /// The scope's path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Bytes granted to it.
    pub fn reserved(&self) -> usize {
        self.reserved
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused by a memory limit")
    }
}

impl Error for Refused {}

/// One line, with the numbers in bytes.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let details = &*self.0;
        write!(f, "{} refused {} bytes", details.path, details.requested)?;
        if details.path != details.asked_by {
            write!(f, " to {}", details.asked_by)?;
        }
        match (details.cause, self.limit()) {
            (RefusalCause::Closed, _) => {
                write!(f, ": it is closed, with {} bytes in use", details.used)?
            }
            (RefusalCause::Limit, Some(limit)) => {
                write!(f, ": {} of {limit} bytes are in use", details.used)?;
            }
            (RefusalCause::Limit, None) => write!(f, ": more than the address space has")?,
        }
        let idle = details.reserved.saturating_sub(details.used);
        if idle > 0 {
            write!(f, ", and {idle} guaranteed to scopes below it")?;
        }
        let reclaim = details.reclaim;
        if reclaim.calls > 0 {
            write!(
                f,
                "; reclaimers gave {} bytes in {} calls",
                reclaim.bytes, reclaim.calls
            )?;
        } else if reclaim.skipped {
            write!(f, "; not reclaimed, as a reclaimer asked")?;
        }
        if let Some(waited) = details.waited {
            write!(f, "; waited {waited:?}")?;
        }
        for (n, consumer) in self.largest().enumerate() {
            let before = if n == 0 { "; most is with " } else { ", " };
            write!(f, "{before}{} ({})", consumer.name(), consumer.reserved)?;
        }
        Ok(())
    }
}

impl Error for Refusal {}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusal")
            .field("path", &self.path())
            .field("asked_by", &self.asked_by())
            .field("cause", &self.cause())
            .field("limit", &self.limit())
            .field("used", &self.used())
            .field("reserved", &self.reserved())
            .field("requested", &self.requested())
            .field("reclaim", &self.reclaim())
            .field("waited", &self.waited())
            .field("largest", &self.largest().collect::<Vec<_>>())
            .finish()
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.path(), self.reserved)
    }
}

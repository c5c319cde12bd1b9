//! What changes a scope as a whole: another limit, another guarantee, its end. Each is done alone, at the gate.

use super::handle::Scope;
use super::leak::Leak;
use super::node::{Node, UNLIMITED};
use super::refusal::Refusal;
use crate::sync::Ordering;

impl Scope {
    /// Sets another limit, in bytes, or none. Returns by how many bytes the scope exceeds it now.
    ///
    /// A limit below what is in use is set all the same: from this call on nothing is granted until the scope has fallen
    /// below it. Reclaimers are asked for the excess first; what remains of it is returned. A closed scope stays closed.
    ///
    /// ```
    /// use unkai_core::Scope;
    ///
    /// let scope = Scope::root("cache").build()?;
    /// let _held = scope.try_reserve(1000)?;
    /// assert_eq!(scope.set_limit(Some(1500)), 0);
    /// assert_eq!(scope.set_limit(Some(600)), 400);
    /// assert!(scope.try_reserve(1).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_limit(&self, limit: Option<usize>) -> usize {
        let node = self.node();
        let limit = limit.unwrap_or(UNLIMITED);
        {
            let mut held = node.tree.gate.hold();
            held.alone_under(node);
            if self.is_closed() {
                return node.level.held.load(Ordering::Relaxed);
            }
            node.level.limit.store(limit, Ordering::Relaxed);
            if node.level.held.load(Ordering::Relaxed) > limit {
                node.close_stocks_below();
            }
        }
        let excess = || {
            node.level
                .held
                .load(Ordering::Relaxed)
                .saturating_sub(limit)
        };
        let mut rounds = node.tree.reclaimers.rounds(node, 0);
        while excess() > 0 && rounds.next(node, 0) {}
        node.tell();
        excess()
    }

    /// Forgets the peak: from now on it is the highest since this call.
    pub fn reset_peak(&self) {
        let node = self.node();
        let mut held = node.tree.gate.hold();
        held.alone_under(node);
        node.empty_stocks_below(std::ptr::null());
        let used = node.level.sure.load(Ordering::Relaxed);
        node.level.fence.store(used, Ordering::Relaxed);
        node.level.peak.store(used, Ordering::Release);
    }

    /// Guarantees other bytes to this scope than before: see [`min`](super::ScopeBuilder::min).
    ///
    /// # Errors
    /// When a level above has no room for a larger guarantee; the old one stays.
    pub fn set_min(&self, min: usize) -> Result<(), Refusal> {
        self.node().set_min(min)
    }

    /// Ends the scope's life: from now on it and all below it are refused everything, and only frees are accepted.
    ///
    /// Its guarantee is given back. A second call, on a clone, tells what is left by then.
    ///
    /// # Errors
    /// When bytes are still held, here or below: how many. They stay charged until they are freed; when the last handle
    /// goes without that, the scope above shows them as leaked.
    ///
    /// ```
    /// use unkai_core::Scope;
    ///
    /// let query = Scope::root("query").build()?;
    /// let rows = query.try_reserve(100)?;
    /// let leak = query.clone().close().unwrap_err();
    /// assert_eq!((leak.bytes(), leak.blocks()), (100, 1));
    /// assert!(query.try_reserve(1).is_err());
    ///
    /// drop(rows);
    /// assert!(query.close().is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close(self) -> Result<(), Leak> {
        let node = self.node();
        {
            let mut held = node.tree.gate.hold();
            held.alone_under(node);
            node.events.closed.store(true, Ordering::Relaxed);
            node.level.limit.store(0, Ordering::Relaxed);
            node.level.min.store(0, Ordering::Relaxed);
            node.close_stocks_below();
            if let Some(parent) = node.parent() {
                parent.lower(node.take_excess_credit());
            }
        }
        node.tell();
        let bytes = node.used();
        if bytes == 0 {
            return Ok(());
        }
        Err(Leak::of(node, bytes, node.blocks()))
    }

    /// Whether it was [closed](Self::close).
    pub fn is_closed(&self) -> bool {
        self.node().events.closed.load(Ordering::Relaxed)
    }
}

impl Node {
    pub(super) fn set_min(&self, min: usize) -> Result<(), Refusal> {
        let set = self.take_min(min);
        // Refused or not: levels above may have held bytes for a moment that are free again.
        self.tell();
        set
    }

    fn take_min(&self, min: usize) -> Result<(), Refusal> {
        let level = &self.level;
        // Taken from the level above, and not yet in the credit.
        let mut in_hand = 0;
        loop {
            let missing = {
                let mut held = self.tree.gate.hold();
                held.alone_under(self);
                self.empty_stocks_below(std::ptr::null());
                let held = level.held.load(Ordering::Relaxed);
                let granted = held + level.credit.load(Ordering::Relaxed);
                let due = match self.parent() {
                    Some(_) => min.saturating_sub(granted),
                    // A root has nobody to take it from.
                    None => 0,
                };
                if due <= in_hand {
                    level.credit.fetch_add(due, Ordering::AcqRel);
                    level.min.store(min, Ordering::Relaxed);
                    if let Some(parent) = self.parent() {
                        parent.lower(in_hand - due + self.take_excess_credit());
                    }
                    return Ok(());
                }
                due - in_hand
            };
            // Not alone: the level above may need to be. What is given back here meanwhile goes up, and is asked for again.
            if let Some(parent) = self.parent() {
                match parent.obtain(missing, true) {
                    Ok(raised) => {
                        parent.settle(raised);
                        in_hand += missing;
                    }
                    Err(decided) => {
                        let refusal = Refusal::from(decided.refuse());
                        let _pass = self.tree.gate.enter(parent);
                        parent.lower(in_hand);
                        return Err(refusal);
                    }
                }
            }
        }
    }
}

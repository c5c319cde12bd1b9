//! The scopes directly below one: a list that runs through the nodes themselves, so that it neither allocates nor grows.
//!
//! Its lock is taken when a scope is created or dropped, and by who looks at all scopes below one. Locks are taken from
//! above to below only.

use std::ptr::null_mut;

use super::lock::Lock;
use super::node::Node;
use crate::sync::{AtomicPtr, Ordering};

/// The head of the list, in the parent.
#[derive(Debug)]
pub(super) struct Children {
    lock: Lock<()>,
    /// Invariant: the nodes from here along `Siblings::next` are those that are linked, each of them alive: a node
    /// unlinks itself before its memory goes. Changed under the lock only.
    first: AtomicPtr<Node>,
}

/// A node's own place in the list. Changed under the parent's lock only.
#[derive(Debug)]
pub(super) struct Siblings {
    previous: AtomicPtr<Node>,
    next: AtomicPtr<Node>,
}

// All orderings are relaxed: the lock orders what happens under it.
impl Children {
    pub(super) fn new() -> Self {
        Self {
            lock: Lock::new(()),
            first: AtomicPtr::new(null_mut()),
        }
    }

    /// Calls `each` for every child, with the list locked. `each` must not create or drop scopes.
    pub(super) fn for_each(&self, mut each: impl FnMut(&Node)) {
        self.for_each_then(&mut (), |(), child| each(child), |()| ());
    }

    /// The same, and then calls `then` before the list is unlocked: until then, all children that were shown stay alive.
    pub(super) fn for_each_then<S: ?Sized>(
        &self,
        state: &mut S,
        mut each: impl FnMut(&mut S, &Node),
        then: impl FnOnce(&mut S),
    ) {
        // Most nodes have none. One that is being linked at this moment has nothing yet that could be seen.
        if self.first.load(Ordering::Relaxed).is_null() {
            return;
        }
        let _lock = self.lock.lock();
        let mut next = self.first.load(Ordering::Relaxed);
        // SAFETY: `next` is null or a linked node (the invariant of `first`), which is alive, and which nobody borrows
        // mutably: nodes are shared from their creation on. It stays linked while we hold the lock.
        while let Some(child) = unsafe { next.as_ref() } {
            each(state, child);
            next = child.siblings().next.load(Ordering::Relaxed);
        }
        then(state);
    }

    /// Links `child`, which must [unlink](Self::unlink) itself before its memory goes or is moved.
    pub(super) fn link(&self, child: &Node) {
        let this = std::ptr::from_ref(child).cast_mut();
        let _lock = self.lock.lock();
        let first = self.first.load(Ordering::Relaxed);
        child.siblings().next.store(first, Ordering::Relaxed);
        // SAFETY: null, or linked and therefore alive, as in `for_each`.
        if let Some(first) = unsafe { first.as_ref() } {
            first.siblings().previous.store(this, Ordering::Relaxed);
        }
        self.first.store(this, Ordering::Relaxed);
    }

    /// Takes `child`, which is linked here, out of the list.
    pub(super) fn unlink(&self, child: &Node) {
        let _lock = self.lock.lock();
        let previous = child.siblings().previous.load(Ordering::Relaxed);
        let next = child.siblings().next.load(Ordering::Relaxed);
        // SAFETY: null, or linked and therefore alive, as in `for_each`.
        match unsafe { previous.as_ref() } {
            Some(previous) => previous.siblings().next.store(next, Ordering::Relaxed),
            None => self.first.store(next, Ordering::Relaxed),
        }
        // SAFETY: as above.
        if let Some(next) = unsafe { next.as_ref() } {
            next.siblings().previous.store(previous, Ordering::Relaxed);
        }
    }
}

impl Siblings {
    pub(super) fn new() -> Self {
        Self {
            previous: AtomicPtr::new(null_mut()),
            next: AtomicPtr::new(null_mut()),
        }
    }
}

//! `high`: a level that warns, long before a limit refuses.
//!
//! A callback is called once when what is held rises to `high`, and again only after it has fallen below 7/8 of it. It
//! runs after the request that crossed it was served, with no lock of ours held, on the thread that asked.

use std::fmt;
use std::sync::Arc;

use super::guarded;
use super::handle::Scope;
use super::node::{Node, UNLIMITED};
use super::reclaim::{Registration, Revoke};
use crate::sync::{AtomicBool, AtomicUsize, Lock, Ordering};

/// A scope has risen to its `high`.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct HighEvent<'e> {
    path: &'e str,
    reserved: usize,
    high: usize,
}

impl HighEvent<'_> {
    /// The path of the scope.
    pub fn path(&self) -> &str {
        self.path
    }

    /// Bytes that it holds now, with all scopes below it.
    pub fn reserved(&self) -> usize {
        self.reserved
    }

    /// The `high` that it has reached.
    pub fn high(&self) -> usize {
        self.high
    }
}

type Callback = dyn Fn(&HighEvent<'_>) + Send + Sync;

pub(super) struct High {
    /// In bytes; `UNLIMITED` when there is none.
    high: AtomicUsize,
    /// Whether it was reached, and 7/8 of it not yet left again.
    above: AtomicBool,
    /// Whether callbacks are due.
    due: AtomicBool,
    callbacks: Lock<Vec<Arc<Callback>>>,
}

impl High {
    pub(super) fn new(high: usize) -> Self {
        Self {
            high: AtomicUsize::new(high),
            above: AtomicBool::new(false),
            due: AtomicBool::new(false),
            callbacks: Lock::new(Vec::new()),
        }
    }

    pub(super) fn get(&self) -> usize {
        self.high.load(Ordering::Relaxed)
    }

    /// Sets another `high`; `held` bytes are held now.
    pub(super) fn set(&self, high: usize, held: usize) {
        self.high.store(high, Ordering::Relaxed);
        self.above.store(false, Ordering::Relaxed);
        self.rose_to(held);
    }

    #[inline]
    pub(super) fn rose_to(&self, held: usize) {
        if held >= self.get()
            && !self.above.load(Ordering::Relaxed)
            && self.get() != UNLIMITED
            && !self.above.swap(true, Ordering::Relaxed)
        {
            self.due.store(true, Ordering::Relaxed);
        }
    }

    #[inline]
    pub(super) fn fell_to(&self, held: usize) {
        let high = self.get();
        if self.above.load(Ordering::Relaxed) && held < high - high / 8 {
            self.above.store(false, Ordering::Relaxed);
        }
    }

    /// Calls the callbacks, if they are due.
    #[inline]
    pub(super) fn tell(&self, node: &Node) {
        if self.due.load(Ordering::Relaxed) && !guarded::is_inside() {
            self.tell_slow(node);
        }
    }

    #[cold]
    fn tell_slow(&self, node: &Node) {
        if !self.due.swap(false, Ordering::Relaxed) {
            return;
        }
        let (reserved, high) = (node.reserved(), self.get());
        if reserved < high {
            // The request that reached it was refused at another level.
            self.above.store(false, Ordering::Relaxed);
            return;
        }
        node.events.high.fetch_add(1, Ordering::Relaxed);
        let event = HighEvent {
            path: node.path(),
            reserved,
            high,
        };
        let mut next = 0;
        loop {
            let Some(callback) = self.callbacks.lock().get(next).map(Arc::clone) else {
                return;
            };
            guarded::call(|| callback(&event));
            next += 1;
        }
    }

    pub(super) fn register(scope: &Scope, callback: Arc<Callback>) -> Registration {
        let high = &scope.node().high;
        high.callbacks.lock().push(Arc::clone(&callback));
        Registration::new(Registered {
            node: Arc::clone(scope.node()),
            callback,
        })
    }
}

impl fmt::Debug for High {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("High")
            .field("high", &self.high)
            .field("above", &self.above)
            .finish_non_exhaustive()
    }
}

struct Registered {
    node: Arc<Node>,
    callback: Arc<Callback>,
}

impl Revoke for Registered {}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut callbacks = self.node.high.callbacks.lock();
        let gone = callbacks
            .iter()
            .position(|callback| Arc::ptr_eq(callback, &self.callback))
            .map(|place| callbacks.remove(place));
        drop(callbacks);
        // Its drop runs the user's code: not under the lock.
        drop(gone);
    }
}

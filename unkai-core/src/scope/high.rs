//! `high`: a level that warns, long before a limit refuses.
//!
//! A callback is called once when what is held rises to `high`, and again only after it has fallen below 7/8 of it. It
//! runs after the request that crossed it was served, with no lock of ours held, on the thread that asked.

use std::fmt;
use std::sync::Arc;

use super::guarded;
use super::handle::Scope;
use super::lock::Lock;
use super::node::{Level, Node, UNLIMITED};
use super::reclaim::{Registration, Revoke};
use crate::sync::{AtomicUsize, Ordering};

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
    /// How often it was reached and how often 7/8 of it was left: odd from the one to the other. Changed after `held` was, and
    /// by read-modify-writes only, which see each other: of who rises and who falls at once, one sees what both have done.
    crossings: AtomicUsize,
    /// The last of `crossings` for which callbacks were called.
    told: AtomicUsize,
    callbacks: Lock<Vec<Arc<Callback>>>,
}

/// In `crossings`.
const ABOVE: usize = 1;

impl High {
    pub(super) fn new(high: usize) -> Self {
        Self {
            high: AtomicUsize::new(high),
            crossings: AtomicUsize::new(0),
            told: AtomicUsize::new(0),
            callbacks: Lock::new(Vec::new()),
        }
    }

    pub(super) fn get(&self) -> usize {
        self.high.load(Ordering::Relaxed)
    }

    /// Sets another `high`. Only for who is alone at `level`.
    pub(super) fn set(&self, high: usize, level: &Level) {
        self.high.store(high, Ordering::Relaxed);
        self.leave(self.crossings.load(Ordering::Acquire), level);
    }

    #[inline]
    pub(super) fn rose_to(&self, held: usize) {
        let high = self.get();
        if held >= high && high != UNLIMITED {
            self.crossings.fetch_or(ABOVE, Ordering::AcqRel);
        }
    }

    /// To be asked before `held` is lowered, and told to `fell_to` afterwards.
    #[inline]
    pub(super) fn before_fall(&self) -> usize {
        if self.get() == UNLIMITED {
            return 0;
        }
        self.crossings.load(Ordering::Acquire)
    }

    #[inline]
    pub(super) fn fell_to(&self, held: usize, before: usize, level: &Level) {
        let high = self.get();
        if high != UNLIMITED && held < high - high / 8 {
            self.fall(before, level);
        }
    }

    fn fall(&self, before: usize, level: &Level) {
        let crossings = self.crossings.fetch_or(0, Ordering::AcqRel);
        let high = self.get();
        // It was above before the fall; or it came to be meanwhile, and if that was after the fall, it is news still.
        if crossings == before || level.held.load(Ordering::Acquire) < high - high / 8 {
            self.leave(crossings, level);
        }
    }

    /// Not above any more, if it is since `crossings`.
    fn leave(&self, crossings: usize, level: &Level) {
        let is_left = crossings & ABOVE == 0
            || self
                .crossings
                .compare_exchange(
                    crossings,
                    crossings.wrapping_add(1),
                    Ordering::AcqRel,
                    Ordering::Relaxed,
                )
                .is_ok();
        if is_left {
            // Who rose meanwhile found it above, and was silent.
            self.rose_to(level.held.load(Ordering::Acquire));
        }
    }

    /// Calls the callbacks, if they are due.
    #[inline]
    pub(super) fn tell(&self, node: &Node) {
        let crossings = self.crossings.load(Ordering::Relaxed);
        if crossings & ABOVE != 0
            && crossings != self.told.load(Ordering::Relaxed)
            && !guarded::is_inside()
        {
            self.tell_slow(node);
        }
    }

    #[cold]
    fn tell_slow(&self, node: &Node) {
        loop {
            // In this order: a crossing that is told is not older than the last.
            let told = self.told.load(Ordering::Acquire);
            let crossings = self.crossings.load(Ordering::Acquire);
            if crossings & ABOVE == 0 || crossings == told {
                return;
            }
            let (reserved, high) = (node.reserved(), self.get());
            if reserved < high {
                // The request that reached it was refused at another level, or given back since.
                self.leave(crossings, &node.level);
                continue;
            }
            let order = Ordering::AcqRel;
            let first = self
                .told
                .compare_exchange(told, crossings, order, Ordering::Relaxed);
            if first.is_ok() {
                self.call(node, reserved, high);
                return;
            }
        }
    }

    fn call(&self, node: &Node, reserved: usize, high: usize) {
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
            .field("crossings", &self.crossings)
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

#[cfg(all(test, loom))]
mod models;

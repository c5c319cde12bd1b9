//! A rule's condition without a quantity: somebody asks for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use unkai_core::process;

use crate::condition::{Condition, Kind};

/// Fires a rule on request: from a signal handler, a command, a test.
///
/// Pulled several times before the watcher's thread looks, it fires the rule once.
///
/// ```
/// use unkai_watch::{Rule, Trigger};
///
/// let trigger = Trigger::new();
/// let rule = Rule::new("on-demand", trigger.pulled());
/// trigger.pull();
/// # let _ = rule;
/// ```
#[derive(Clone, Debug, Default)]
pub struct Trigger {
    pulled: Arc<AtomicBool>,
}

impl Trigger {
    /// One that is not pulled.
    pub fn new() -> Self {
        Self::default()
    }

    /// The condition that holds when it is pulled.
    pub fn pulled(&self) -> Condition {
        Condition {
            kind: Kind::Pulled(self.clone()),
        }
    }

    /// Fires the rule. Async-signal-safe: one store, and at most one system call.
    pub fn pull(&self) {
        // Release: pairs with the Acquire in `take`.
        self.pulled.store(true, Ordering::Release);
        process::wake();
    }

    /// Whether it was pulled since this was last asked.
    pub(crate) fn take(&self) -> bool {
        self.pulled.swap(false, Ordering::Acquire)
    }
}

//! Whether functions are being named at this moment, so that a forked child does not wait for a thread that it does not have.
//!
//! The backtrace crate names under a lock, as a [`NameCache`](crate::NameCache) does. A child inherits a lock as it was at the fork. If
//! another thread of the parent held it, nobody will ever release it in the child, and what it guards is half-way through a change:
//! there is no going on with it. So all naming is counted, before any lock is taken, together with the process that
//! counts; a child that finds its parent's count above zero names nothing.

use std::sync::atomic::{AtomicU64, Ordering};

/// One thread that names, until it is dropped.
#[derive(Debug)]
pub(crate) struct UnderWay(());

/// The number of the process in the upper half, and in the lower one how many of its threads name.
static NAMING: AtomicU64 = AtomicU64::new(0);

impl UnderWay {
    /// Begins. `None` if naming was under way in the parent when it forked this process, or in the parent's parent, and so on:
    /// then it never ends here.
    pub(crate) fn begin() -> Option<Self> {
        let process = u64::from(std::process::id()) << 32;
        let one_more = |naming: u64| {
            let threads = naming & u64::from(u32::MAX);
            (threads == 0 || naming - threads == process).then_some(process | (threads + 1))
        };
        // Relaxed: what is guarded has locks of its own. A fork copies memory as this thread, and so each earlier one, has left it.
        NAMING
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .ok()
            .map(|_| Self(()))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        NAMING.fetch_sub(1, Ordering::Relaxed);
    }
}

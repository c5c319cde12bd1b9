//! Counters of what could not be recorded.

use crate::losses::{CAUSES, Cause, Losses};
use crate::sync::{AtomicU64, Ordering};

/// One counter for each [`Cause`]. Off the fast path: each event is one atomic addition.
#[derive(Debug)]
pub(crate) struct Lost {
    counts: [AtomicU64; CAUSES],
}

impl Lost {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Self {
            counts: [const { AtomicU64::new(0) }; CAUSES],
        }
    }

    pub(crate) fn count(&self, cause: Cause) {
        self.counts[cause as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Losses {
        let mut losses = Losses::default();
        for cause in Cause::ALL {
            losses.set(cause, self.counts[cause as usize].load(Ordering::Relaxed));
        }
        losses
    }
}

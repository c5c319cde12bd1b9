//! Exact counters for threads that have none of their own: threads that are ending, those beyond the configured number,
//! and unkai's own code. Each operation is an atomic addition to a shared line: slow, rare, and right.

use crate::snapshot::Amount;
use crate::sync::{AtomicU64, Ordering};

#[derive(Debug)]
pub(super) struct SharedCells {
    allocated_bytes: AtomicU64,
    allocated_blocks: AtomicU64,
    freed_bytes: AtomicU64,
    freed_blocks: AtomicU64,
}

impl SharedCells {
    pub(super) const fn new() -> Self {
        Self {
            allocated_bytes: AtomicU64::new(0),
            allocated_blocks: AtomicU64::new(0),
            freed_bytes: AtomicU64::new(0),
            freed_blocks: AtomicU64::new(0),
        }
    }

    pub(super) fn count_alloc(&self, bytes: usize) {
        self.allocated_bytes
            .fetch_add(bytes as u64, Ordering::Relaxed);
        self.allocated_blocks.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_dealloc(&self, bytes: usize) {
        self.freed_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.freed_blocks.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn allocated(&self) -> Amount {
        Amount {
            bytes: self.allocated_bytes.load(Ordering::Relaxed),
            blocks: self.allocated_blocks.load(Ordering::Relaxed),
        }
    }

    pub(super) fn freed(&self) -> Amount {
        Amount {
            bytes: self.freed_bytes.load(Ordering::Relaxed),
            blocks: self.freed_blocks.load(Ordering::Relaxed),
        }
    }

    pub(super) fn live_bytes(&self) -> i64 {
        let freed = self.freed().bytes;
        self.allocated().bytes.wrapping_sub(freed) as i64
    }
}

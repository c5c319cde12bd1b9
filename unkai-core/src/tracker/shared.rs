//! Who is charged where a thread does not count on cells of its own.
//!
//! Threads that are ending, those beyond the configured number, and unkai's own code count on shared counters: each
//! operation is an atomic addition to a shared line, slow, rare, and right. A thread that has stepped aside counts on its
//! own visit, and only what it leaves behind is handed over when it comes back.

use super::Tracker;
use crate::losses::Cause;
use crate::probe::thread;
use crate::snapshot::Amount;
use crate::store::cells::Direction;
use crate::sync::{AtomicU64, Ordering};

/// What takes the count of an operation without cells.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Account {
    /// The shared counters; the cause says why the operation could not be sampled.
    Shared(Cause),
    /// The thread's visit. It is not the program's, so nothing is lost.
    Aside,
}

impl Tracker {
    pub(super) fn charge_alloc(&self, account: Account, bytes: usize) {
        match account {
            Account::Shared(cause) => {
                self.shared.count_alloc(bytes);
                self.lost.count(cause);
            }
            Account::Aside => thread::count_aside(Direction::Allocated, bytes),
        }
    }

    pub(super) fn charge_dealloc(&self, account: Account, bytes: usize) {
        match account {
            Account::Shared(_) => self.shared.count_dealloc(bytes),
            Account::Aside => thread::count_aside(Direction::Freed, bytes),
        }
    }

    pub(super) fn charge_refusal(&self, account: Account) {
        if let Account::Shared(_) = account {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes over what a visit leaves behind: what it has allocated and not freed, or freed of what was there before.
    pub(crate) fn take_over(&self, allocated: Amount, freed: Amount) {
        self.shared.take_over(allocated, freed);
        let kept = allocated.bytes.saturating_sub(freed.bytes);
        self.settle_limit(kept, freed.bytes.saturating_sub(allocated.bytes));
        if let Some(tables) = self.tables.get()
            && kept > 0
        {
            self.measure(tables);
        }
    }
}

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

    fn take_over(&self, allocated: Amount, freed: Amount) {
        let left = |allocated: u64, freed: u64| {
            let kept = allocated.saturating_sub(freed);
            (kept, freed.saturating_sub(allocated))
        };
        let (kept_bytes, gone_bytes) = left(allocated.bytes, freed.bytes);
        let (kept_blocks, gone_blocks) = left(allocated.blocks, freed.blocks);
        self.allocated_bytes
            .fetch_add(kept_bytes, Ordering::Relaxed);
        self.allocated_blocks
            .fetch_add(kept_blocks, Ordering::Relaxed);
        self.freed_bytes.fetch_add(gone_bytes, Ordering::Relaxed);
        self.freed_blocks.fetch_add(gone_blocks, Ordering::Relaxed);
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

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
use crate::sync::Ordering;

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

    /// After an operation was charged as a whole: no cells publish what the shared counters count, so the peak is brought up to
    /// date here if they have grown by a quantum.
    pub(super) fn note_growth(&self, account: Account) {
        if let Account::Shared(_) = account
            && self.shared.has_grown()
            && let Some(tables) = self.tables.get()
        {
            self.measure(tables);
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

//! Guarantees: what is taken from the level above ahead of need, and kept for this one scope.
//!
//! The *credit* of a level is what it has been granted and does not hold yet. A request spends it before it asks the level above;
//! what is given back refills it as far as `min` demands, and only the rest goes up. So the level above holds, for each child,
//! what the child holds and its credit: `min` at least.

use super::levels::not_negative;
use super::node::{Level, Node};
use crate::sync::Ordering;

impl Node {
    /// Takes up to `bytes` out of the credit.
    pub(super) fn spend_credit(&self, bytes: usize) -> usize {
        let credit = &self.level.credit;
        let mut left = credit.load(Ordering::Acquire);
        loop {
            let spent = left.min(bytes);
            if spent == 0 {
                return 0;
            }
            match credit.compare_exchange(left, left - spent, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return spent,
                Err(now) => left = now,
            }
        }
    }

    pub(super) fn refund_credit(&self, bytes: usize) {
        if bytes > 0 {
            self.level.credit.fetch_add(bytes, Ordering::AcqRel);
        }
    }

    /// Of `bytes` that this level has given up, keeps as many as its guarantee demands. Returns the others.
    pub(super) fn keep_credit(&self, bytes: usize) -> usize {
        if self.min() == 0 {
            return bytes;
        }
        self.refund_credit(bytes);
        // Not what is held: of that, another thread may give back what it could not get above, and then the guarantee would
        // have to make up for it.
        self.take_credit_beyond(|level| not_negative(level.sure.load(Ordering::Acquire)))
    }

    /// Gives up what the guarantees of this scope and of those above keep and need not, now that more is sure. Inside the gate.
    pub(super) fn give_up_excess(&self) {
        for node in self.upwards() {
            if let Some(parent) = node.parent() {
                parent.lower(node.keep_credit(0));
            }
        }
    }

    /// Takes out what the credit has beyond the guarantee. Only for who is alone here.
    pub(super) fn take_excess_credit(&self) -> usize {
        self.take_credit_beyond(|level| level.held.load(Ordering::Acquire))
    }

    /// Takes out what the credit has beyond what the guarantee demands besides the bytes `had`.
    fn take_credit_beyond(&self, had: impl Fn(&Level) -> usize) -> usize {
        let level = &self.level;
        let due = || {
            let min = level.min.load(Ordering::Relaxed);
            min.saturating_sub(had(level))
        };
        // An exchange, not a load: who changes the credit after it sees what this thread has made sure or given back before.
        let mut credit = level.credit.fetch_add(0, Ordering::AcqRel);
        let mut taken = loop {
            let least = due();
            if credit <= least {
                return 0;
            }
            match level
                .credit
                .compare_exchange(credit, least, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => break credit - least,
                Err(now) => credit = now,
            }
        };
        // The credit may have been as it was and yet another: others have given back meanwhile, more is due, and they left it
        // at that. The exchange has seen theirs, so this sees what is due.
        credit = level.credit.load(Ordering::Acquire);
        loop {
            let missing = due().saturating_sub(credit).min(taken);
            if missing == 0 {
                return taken;
            }
            match level.credit.compare_exchange(
                credit,
                credit + missing,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => {
                    taken -= missing;
                    credit += missing;
                }
                Err(now) => credit = now,
            }
        }
    }
}

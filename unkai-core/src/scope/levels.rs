//! How bytes move between levels: up to a scope from those above it, and back.
//!
//! `held` of a level is raised by compare-exchange against its limit and never beyond it, so that no limit is exceeded
//! for a single moment. Who is refused at one level gives back what it took at those below; while that is under way,
//! the operation is inside the [gate](super::gate), where a thread that must know for certain waits for it.
//!
//! A level has two numbers. `held` is raised before the inner allocator is asked, and is what limits compare with. `sure` leaves
//! out what the inner allocator may still refuse; it follows when the request was served, and its highest value is the peak.
//! So the peak never contains a request that was refused, by us or by the inner allocator.

use super::node::{Level, Node};
use crate::sync::Ordering;

/// Bytes that were taken from the levels and that the inner allocator may still refuse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "bytes that are taken are settled or cancelled"]
pub(super) struct Raised {
    /// From the scope upwards. They get fewer above a scope whose guarantee has paid for a part.
    runs: [Run; 4],
}

/// Neighbouring levels with the same number of bytes that are not sure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Run {
    bytes: usize,
    levels: usize,
}

impl Raised {
    /// At the scope itself.
    pub(super) fn bytes(&self) -> usize {
        self.runs[0].bytes
    }

    /// Notes the next level. False if it cannot be remembered, above three guarantees that have paid: then its bytes
    /// count as sure.
    fn note(&mut self, bytes: usize) -> bool {
        let mut runs = self.runs.iter_mut();
        match runs.find(|run| run.bytes == bytes || run.levels == 0) {
            Some(run) => {
                run.bytes = bytes;
                run.levels += 1;
                true
            }
            None => false,
        }
    }

    /// The unsure bytes of each level, from the scope upwards.
    fn by_level(&self) -> impl Iterator<Item = usize> {
        let runs = self.runs.into_iter();
        runs.flat_map(|run| std::iter::repeat_n(run.bytes, run.levels))
    }
}

/// A level that has no room.
#[derive(Debug)]
pub(super) struct NoRoom<'n> {
    pub(super) at: &'n Node,
    /// For so many bytes: fewer than were asked for, where a guarantee below has paid for a part.
    pub(super) bytes: usize,
}

impl Node {
    /// Takes `bytes` for this scope from all levels above it, or none. `unsure` of them may still be given back by
    /// [`cancel`](Self::cancel), and count for no peak before [`confirm`](Self::confirm).
    pub(super) fn raise(&self, bytes: usize, unsure: usize) -> Result<Raised, NoRoom<'_>> {
        let mut raised = Raised::default();
        self.raise_below(bytes, unsure, None, &mut raised)?;
        Ok(raised)
    }

    /// The same for levels below `end`, noting what is not sure. Returns what `end` would have to hold beyond what it does.
    pub(super) fn raise_below(
        &self,
        bytes: usize,
        mut unsure: usize,
        end: Option<&Self>,
        raised: &mut Raised,
    ) -> Result<usize, NoRoom<'_>> {
        // The credit first: a thread that lowers this level meanwhile then keeps more of it here rather than less.
        let prepaid = self.spend_credit(bytes);
        if !self.hold(bytes) {
            self.refund_credit(prepaid);
            return Err(NoRoom { at: self, bytes });
        }
        if unsure > 0 && !raised.note(unsure) {
            unsure = 0;
        }
        let unpaid = bytes - prepaid;
        let above = match self.parent() {
            Some(parent) if unpaid > 0 && !end.is_some_and(|end| std::ptr::eq(parent, end)) => {
                parent.raise_below(unpaid, unsure.min(unpaid), end, raised)
            }
            _ => Ok(unpaid),
        };
        if above.is_err() {
            self.let_go(bytes);
            self.refund_credit(prepaid);
            return above;
        }
        self.be_sure_of(bytes - unsure);
        above
    }

    /// The unsure bytes were served after all: they count from now on for the peaks.
    pub(super) fn settle(&self, raised: Raised) {
        for (node, unsure) in self.upwards().zip(raised.by_level()) {
            node.be_sure_of(unsure);
        }
    }

    /// The unsure bytes were not served: gives them back to all levels.
    pub(super) fn cancel(&self, raised: Raised) {
        let mut bytes = raised.bytes();
        let unsure = raised.by_level().chain(std::iter::repeat(0));
        for (node, unsure) in self.upwards().zip(unsure) {
            let level = &node.level;
            // What is given back was unsure, unless guarantees below have changed hands meanwhile.
            if unsure >= bytes {
                node.be_sure_of(unsure - bytes);
            } else {
                level.sure.fetch_sub(bytes - unsure, Ordering::AcqRel);
            }
            node.let_go(bytes);
            bytes = node.keep_credit(bytes);
        }
    }

    /// Gives `bytes` back to all levels.
    pub(super) fn lower(&self, bytes: usize) {
        self.lower_below(bytes, None);
    }

    /// The same, but only for levels below `end`. Returns what `end` may give up.
    pub(super) fn lower_below(&self, mut bytes: usize, end: Option<&Self>) -> usize {
        for node in self.upwards() {
            if bytes == 0 || end.is_some_and(|end| std::ptr::eq(node, end)) {
                break;
            }
            let level = &node.level;
            level.sure.fetch_sub(bytes, Ordering::AcqRel);
            node.let_go(bytes);
            bytes = node.keep_credit(bytes);
        }
        bytes
    }

    /// Counts `bytes` that are held for the peak of this level alone.
    fn be_sure_of(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let level = &self.level;
        let before = level.sure.fetch_add(bytes, Ordering::AcqRel);
        let sure = not_negative(before.wrapping_add(bytes));
        // A stale peak is a lower one, as it only rises: at worst the call is made in vain.
        if sure > level.peak.load(Ordering::Relaxed) {
            level.peak.fetch_max(sure, Ordering::AcqRel);
        }
    }

    /// Raises `held` of this level alone, if its limit allows.
    fn hold(&self, bytes: usize) -> bool {
        let level = &self.level;
        let mut held = level.held.load(Ordering::Acquire);
        loop {
            let most = level.most();
            let Some(new) = held.checked_add(bytes).filter(|&new| new <= most) else {
                return false;
            };
            // AcqRel: who sees the new value also sees what was given back elsewhere before; see `stock`.
            match level
                .held
                .compare_exchange(held, new, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => {
                    self.high.rose_to(new);
                    return true;
                }
                Err(now) => held = now,
            }
        }
    }

    /// Lowers `held` of this level alone.
    fn let_go(&self, bytes: usize) {
        let level = &self.level;
        let before = self.high.before_fall();
        let held = level.held.fetch_sub(bytes, Ordering::AcqRel);
        debug_assert!(held >= bytes, "more given back than was taken");
        self.high.fell_to(held.wrapping_sub(bytes), before, level);
    }

    /// Tells those who want to know of what has moved: callbacks at `high`, and who waits for room. Not under any lock,
    /// and not inside the gate.
    pub(super) fn tell(&self) {
        for node in self.upwards() {
            node.high.tell(node);
            node.waiters.wake(node);
        }
    }
}

impl Level {
    /// The most that it may hold, where there is no limit, too.
    pub(super) fn most(&self) -> usize {
        let limit = self.limit.load(Ordering::Relaxed);
        limit.min(isize::MAX as usize)
    }
}

/// A number that wraps below 0 for a moment, while bytes whose request is not settled yet are given back by another.
pub(super) fn not_negative(sure: usize) -> usize {
    if sure > isize::MAX as usize { 0 } else { sure }
}

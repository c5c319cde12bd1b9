//! How bytes move between levels: up to a scope from those above it, and back.
//!
//! `held` of a level is raised by compare-exchange against its limit and never beyond it, so that no limit is exceeded
//! for a single moment. Who is refused at one level gives back what it took at those below; while that is under way,
//! the operation is inside the [gate](super::gate), where a thread that must know for certain waits for it.
//!
//! # The peak
//! A level has two numbers. `held` is raised before the inner allocator is asked, and is what limits compare with. `sure` leaves
//! out what the inner allocator may still refuse; it follows when the request was served, and its highest value is the peak.
//! So the peak never contains a request that was refused, by us or by the inner allocator.
//!
//! `sure` includes what lies ready in stocks. So stocks must not hide how little is used when a new peak is reached: `sure`
//! rises freely up to the *fence* only. Who would cross it first empties all stocks below, which leaves what is really used,
//! and then sets the fence 1/64 above that. In the steady state, below the peak, this costs nothing; a climb crosses few
//! fences, since each is 1/64 above the one before.

use super::barrier;
use super::bias::Contents;
use super::node::{Level, Node};
use super::stock::CAPACITY;
use super::thread::{ThreadRecord, this_thread};
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

/// In whose name ownerships are revoked by who is alone: nobody else's, since there is only one.
const ALONE: usize = 1;

/// The most that a scope draws ahead of its needs.
const LARGEST_BATCH: usize = CAPACITY / 2;
/// Less than this is not worth drawing ahead. Closer than four times this to a limit, stocks stay closed.
const SMALLEST_BATCH: usize = if cfg!(loom) { 4 } else { 1 << 10 };
/// A batch that a fence has cut below this is none.
const LEAST: usize = if cfg!(loom) { 1 } else { 64 };

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
            self.level.held.fetch_sub(bytes, Ordering::AcqRel);
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
            let held = level.held.fetch_sub(bytes, Ordering::AcqRel) - bytes;
            node.high.fell_to(held);
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
            let held = level.held.fetch_sub(bytes, Ordering::AcqRel);
            debug_assert!(held >= bytes, "more given back than was taken");
            let held = held.wrapping_sub(bytes);
            node.high.fell_to(held);
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
            let limit = level.limit.load(Ordering::Relaxed);
            let most = limit.min(isize::MAX as usize);
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

    /// Takes up to `bytes` out of the credit.
    fn spend_credit(&self, bytes: usize) -> usize {
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

    fn refund_credit(&self, bytes: usize) {
        if bytes > 0 {
            self.level.credit.fetch_add(bytes, Ordering::AcqRel);
        }
    }

    /// Of `bytes` that this level has given up, keeps as many as its guarantee demands. Returns the others.
    pub(super) fn keep_credit(&self, bytes: usize) -> usize {
        // A root has nobody to keep anything from.
        if self.level.min.load(Ordering::Relaxed) == 0 || self.parent().is_none() {
            return bytes;
        }
        self.refund_credit(bytes);
        // Not what is held: of that, another thread may give back what it could not get above, and then the guarantee would
        // have to make up for it.
        self.take_credit_beyond(|level| not_negative(level.sure.load(Ordering::Acquire)))
    }

    /// Takes out what the credit has beyond the guarantee. Only for who is alone here.
    pub(super) fn take_excess_credit(&self) -> usize {
        self.take_credit_beyond(|level| level.held.load(Ordering::Acquire))
    }

    /// Takes out what the credit has beyond what the guarantee demands besides the bytes `had`.
    fn take_credit_beyond(&self, had: impl Fn(&Level) -> usize) -> usize {
        let level = &self.level;
        let mut credit = level.credit.load(Ordering::Acquire);
        loop {
            let due = level.min.load(Ordering::Relaxed).saturating_sub(had(level));
            if credit <= due {
                return 0;
            }
            match level
                .credit
                .compare_exchange(credit, due, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return credit - due,
                Err(now) => credit = now,
            }
        }
    }

    /// Before `bytes` are taken: empties what must be empty for the peaks, and tells how much more may be drawn ahead.
    ///
    /// The caller has `in_hand` bytes that it took from the stock, and may give back. Inside the gate; nothing is emptied
    /// below `elsewhere`, where another thread is alone.
    pub(super) fn plan(&self, bytes: usize, in_hand: usize, elsewhere: *const Self) -> usize {
        let (batch, crossed) = self.look_ahead(bytes);
        let Some(crossed) = crossed else {
            return batch;
        };
        crossed.empty_stocks_below(elsewhere);
        for node in self.upwards() {
            node.advance_fence(in_hand);
            if std::ptr::eq(node, crossed) {
                break;
            }
        }
        match self.look_ahead(bytes) {
            (batch, None) => batch,
            // More than what is used already would make up for: exactly these bytes, then.
            (_, Some(_)) => 0,
        }
    }

    /// How much may be drawn beyond `bytes`, and the highest level whose fence even these would cross.
    fn look_ahead(&self, bytes: usize) -> (usize, Option<&Self>) {
        let mut batch = self.largest_batch();
        let mut crossed = None;
        let mut unpaid = bytes;
        for node in self.upwards() {
            let level = &node.level;
            let sure = not_negative(level.sure.load(Ordering::Relaxed));
            let below_fence = level.fence.load(Ordering::Relaxed).saturating_sub(sure);
            if unpaid > below_fence {
                crossed = Some(node);
            }
            let room = node.spare_room(level.held.load(Ordering::Relaxed));
            batch = batch
                .min(room.saturating_sub(unpaid / 4))
                .min(below_fence.saturating_sub(unpaid));
            // The credit pays for these bytes, not for the batch.
            unpaid = unpaid.saturating_sub(level.credit.load(Ordering::Relaxed));
        }
        (if batch < LEAST { 0 } else { batch }, crossed)
    }

    /// In proportion to what the scope holds, so that one that holds little keeps little ready.
    fn largest_batch(&self) -> usize {
        let held = self.level.held.load(Ordering::Relaxed);
        (held / 8).clamp(SMALLEST_BATCH, LARGEST_BATCH)
    }

    /// The part of the room below the limit that one stock may have; none when it is short, or when somebody waits for it.
    fn spare_room(&self, held: usize) -> usize {
        let room = self
            .level
            .limit
            .load(Ordering::Relaxed)
            .saturating_sub(held)
            / 4;
        if room < SMALLEST_BATCH || self.waiters.are_there() {
            0
        } else {
            room
        }
    }

    /// Whether a stock of this scope may be open: not where a limit is close.
    pub(super) fn may_keep_stock(&self) -> bool {
        self.upwards()
            .all(|node| node.spare_room(node.level.held.load(Ordering::Relaxed)) > 0)
    }

    /// Empties all stocks at this level and below, but not those below `elsewhere`. Inside the gate.
    pub(super) fn empty_stocks_below(&self, elsewhere: *const Self) {
        let me = this_thread();
        let revoker = me.map_or(0, ThreadRecord::token);
        let mut revoked = false;
        self.for_each_below_but(elsewhere, &mut |node| {
            let mut bytes = node.front.stock.empty();
            for stock in node.lent_stocks() {
                if stock.bytes() > 0 {
                    bytes += me.map_or(0, |me| stock.empty(me));
                    // A thread that ends has no name by which to revoke: then these few peaks are a little too high.
                    revoked |= revoker != 0 && stock.begin_revoking(me, revoker);
                }
            }
            node.lower(bytes);
        });
        if !revoked {
            return;
        }
        barrier::heavy();
        self.for_each_below_but(elsewhere, &mut |node| {
            for stock in node.lent_stocks() {
                node.lower(node.take_over(stock.finish_revoking(revoker)));
            }
        });
    }

    /// Closes all stocks at this level and below, and takes back what was drawn ahead for guarantees that are met. Only
    /// for who is alone there.
    pub(super) fn close_stocks_below(&self) {
        let me = this_thread();
        let mut revoked = false;
        self.for_each_below(&mut |node| {
            for stock in node.lent_stocks() {
                revoked |= stock.begin_revoking(me, ALONE);
            }
        });
        if revoked {
            barrier::heavy();
        }
        self.for_each_below(&mut |node| {
            for stock in node.lent_stocks() {
                node.lower(node.take_over(stock.finish_revoking(ALONE)));
            }
            node.close_stocks(me);
            if !std::ptr::eq(node, self)
                && let Some(parent) = node.parent()
            {
                parent.lower(node.take_excess_credit());
            }
        });
    }

    /// Closes the stocks of this scope itself: the shared one, and those that are lent to `me`.
    pub(super) fn close_stocks(&self, me: Option<&ThreadRecord>) {
        let mut bytes = 0;
        if let Some(me) = me {
            for stock in self.lent_stocks() {
                bytes += self.take_over(stock.give_up(me));
            }
        }
        if !self.front.stock.is_closed() {
            bytes += self.front.stock.close();
        }
        self.lower(bytes);
    }

    /// Takes the blocks over from a stock that was lent; returns its bytes.
    pub(super) fn take_over(&self, contents: Contents) -> usize {
        if contents.word != 0 {
            self.front.stock.add_part(contents.word);
        }
        contents.bytes
    }

    fn for_each_below_but(&self, elsewhere: *const Self, each: &mut dyn FnMut(&Self)) {
        if std::ptr::eq(self, elsewhere) {
            return;
        }
        each(self);
        self.children
            .for_each(|child| child.for_each_below_but(elsewhere, each));
    }

    /// Sets the fence 1/64 above what is used, now that stocks are empty.
    fn advance_fence(&self, in_hand: usize) {
        let sure = not_negative(self.level.sure.load(Ordering::Relaxed));
        let sure = sure.saturating_sub(in_hand);
        let fence = sure.saturating_add(sure / 64);
        if fence > self.level.fence.load(Ordering::Relaxed) {
            self.level.fence.fetch_max(fence, Ordering::Relaxed);
        }
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

/// A number that wraps below 0 for a moment, while bytes whose request is not settled yet are given back by another.
fn not_negative(sure: usize) -> usize {
    if sure > isize::MAX as usize { 0 } else { sure }
}

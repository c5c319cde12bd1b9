//! The slow halves of a charge and an uncharge, when the stock at hand cannot serve them; and the decision to refuse.
//!
//! ```text
//! charge ── from the stock at hand ──────────────────────────────────────────▶ done       almost always
//!    └─ draw: pass the gate, raise all levels by what is missing and a batch ─▶ done       seldom
//!         └─ decide: alone below the level without room, with all stocks      ─▶ done       near a limit
//!            there closed and empty, look again
//!              └─ reclaim: ask the reclaimers, outside all locks; decide again ─▶ done, or refused
//! ```

use std::ptr::null;

use super::bias::{Biased, Wish};
use super::drain::{NoRoomForCertain, try_alone};
use super::levels::{NoRoom, Raised};
use super::node::Node;
use super::reclaim::ReclaimTried;
use super::refusal::{self, Details, Refusal, Refused};
use super::stock::{Blocks, CAPACITY};
use super::thread::{ThreadRecord, this_thread, this_thread_or_new};
use crate::sync::Ordering;

impl Node {
    /// Takes `bytes` for this scope. `None`: all from a stock. Otherwise some are not sure yet: [`confirm`](Self::confirm)
    /// them, or [`undo`](Self::undo) the charge.
    #[inline]
    pub(super) fn charge(&self, bytes: usize, blocks: Blocks) -> Result<Option<Raised>, Refused> {
        if let Some(me) = this_thread()
            && self.lent_to(me).try_take(me, bytes, blocks)
        {
            return Ok(None);
        }
        self.charge_shared(bytes, blocks)
    }

    /// Gives `bytes` back.
    #[inline]
    pub(super) fn uncharge(&self, bytes: usize, blocks: Blocks) {
        if let Some(me) = this_thread()
            && self.lent_to(me).try_put(me, bytes, blocks)
        {
            return;
        }
        self.uncharge_shared(bytes, blocks);
    }

    /// The stock that is lent to `me`, or could be.
    #[inline]
    fn lent_to(&self, me: &ThreadRecord) -> &Biased {
        self.crowd.of(me).unwrap_or(&self.front.lent)
    }

    #[inline(never)]
    fn charge_shared(&self, bytes: usize, blocks: Blocks) -> Result<Option<Raised>, Refused> {
        if self.front.stock.try_take(bytes, blocks) {
            self.note_sharing();
            return Ok(None);
        }
        self.charge_slow(bytes, blocks)
    }

    #[inline(never)]
    fn uncharge_shared(&self, bytes: usize, blocks: Blocks) {
        let full = this_thread().is_some_and(|me| self.lent_to(me).is_mine(me));
        if !full && self.front.stock.try_put(bytes, blocks) {
            self.note_sharing();
        } else {
            self.uncharge_slow(bytes, blocks);
        }
    }

    /// This thread has used the shared stock. From time to time it asks whether one could be lent to it.
    fn note_sharing(&self) {
        if let Some(me) = this_thread_or_new()
            && me.loses_patience()
        {
            self.wish(me);
        }
    }

    #[cold]
    fn wish(&self, me: &ThreadRecord) {
        let in_use = {
            let _pass = self.tree.gate.enter(self);
            self.may_keep_stock() && self.lent_to(me).wish(me) == Wish::InUse
        };
        // Allocates: not inside the gate.
        if in_use {
            self.crowd.gather();
        }
    }

    #[cold]
    #[inline(never)]
    fn charge_slow(&self, bytes: usize, blocks: Blocks) -> Result<Option<Raised>, Refused> {
        match self.obtain(bytes, true) {
            Ok(raised) => {
                self.front.stock.add(blocks);
                Ok(Some(raised))
            }
            Err(decided) => {
                refusal::remember(decided.refuse());
                Err(Refused)
            }
        }
    }

    /// Takes `bytes` for memory that is there already, or tells at once why not.
    pub(super) fn charge_or_explain(&self, bytes: usize, blocks: Blocks) -> Result<(), Refusal> {
        let lent = this_thread().is_some_and(|me| self.lent_to(me).try_take(me, bytes, blocks));
        if lent || self.front.stock.try_take(bytes, blocks) {
            return Ok(());
        }
        match self.obtain(bytes, true) {
            Ok(raised) => {
                self.front.stock.add(blocks);
                self.confirm(raised);
                Ok(())
            }
            Err(decided) => {
                let details = decided.refuse();
                refusal::remember(details.clone());
                Err(Refusal::from(details))
            }
        }
    }

    /// The long way to `bytes`: blocks are not counted.
    pub(super) fn obtain(&self, bytes: usize, reclaim: bool) -> Result<Raised, Decided<'_>> {
        // Allocates, the first time: not inside the gate.
        this_thread_or_new();
        if let Some(raised) = self.draw_among_others(bytes) {
            return Ok(raised);
        }
        let mut decided = self.decide(bytes);
        if reclaim && decided.is_err() {
            decided = self.reclaim_and_decide(bytes, decided);
        }
        if decided.is_err() {
            // Levels below the one that refused held these bytes for a moment: who freed there saw no room for who waits.
            self.tell();
        }
        decided
    }

    fn draw_among_others(&self, bytes: usize) -> Option<Raised> {
        let pass = self.tree.gate.enter(self);
        self.draw(bytes, pass.elsewhere()).ok()
    }

    /// Takes `bytes` from the levels, beyond what lies in the stock, and refills that. Inside the gate.
    fn draw(&self, bytes: usize, elsewhere: *const Self) -> Result<Raised, NoRoom<'_>> {
        let me = this_thread();
        let spare = self.take_stock(me);
        let Some(missing) = bytes.checked_sub(spare).filter(|&missing| missing > 0) else {
            self.restock(me, spare - bytes);
            return Ok(Raised::default());
        };
        let batch = self.plan(missing, spare, elsewhere);
        if batch > 0
            && let Ok(raised) = self.raise(missing.saturating_add(batch), missing)
        {
            self.open_stock(me);
            self.restock(me, batch);
            return Ok(raised);
        }
        self.raise(missing, missing)
            .inspect_err(|_| self.restock(me, spare))
    }

    /// What lies ready for this thread: in the stock that is lent to it, and in the one that it shares.
    fn take_stock(&self, me: Option<&ThreadRecord>) -> usize {
        let lent = me.map_or(0, |me| self.lent_to(me).empty(me));
        lent + self.front.stock.empty()
    }

    /// Puts `bytes` where they lie ready for this thread, or back where they came from.
    fn restock(&self, me: Option<&ThreadRecord>, bytes: usize) {
        let rest = me.map_or(bytes, |me| self.lent_to(me).fill(me, bytes));
        self.lower(self.front.stock.fill(rest));
    }

    fn open_stock(&self, me: Option<&ThreadRecord>) {
        self.front.stock.open();
        if let Some(me) = me {
            self.lent_to(me).wish(me);
        }
    }

    /// Takes `bytes` where they are really there; refuses where they are not.
    fn decide(&self, bytes: usize) -> Result<Raised, Decided<'_>> {
        let mut held = self.tree.gate.hold();
        try_alone(&mut held, || self.draw(bytes, null())).map_err(
            |NoRoomForCertain { at, all_used }| {
                let used = if all_used {
                    at.level.held.load(Ordering::Relaxed)
                } else {
                    at.used()
                };
                Decided::at(at, self, bytes, used)
            },
        )
    }

    #[cold]
    #[inline(never)]
    fn uncharge_slow(&self, bytes: usize, blocks: Blocks) {
        let me = this_thread_or_new();
        {
            let _pass = self.tree.gate.enter(self);
            self.front.stock.remove(blocks);
            if self.may_keep_stock() {
                let all = self.take_stock(me).saturating_add(bytes);
                let kept = all.min(CAPACITY / 2);
                self.lower(all - kept);
                self.open_stock(me);
                self.restock(me, kept);
            } else {
                self.close_stocks(me);
                self.lower(bytes);
            }
        }
        self.tell();
    }

    /// The request of a charge that raised levels was served.
    #[cold]
    #[inline(never)]
    pub(super) fn confirm(&self, raised: Raised) {
        self.settle(raised);
        // Who freed here meanwhile kept more for the guarantee than it needs now, and somebody may wait for it.
        if self.upwards().any(|node| node.min() > 0) {
            let _pass = self.tree.gate.enter(self);
            self.give_up_excess();
        }
        self.tell();
    }

    /// The request of a charge of `bytes` that raised levels was not served.
    #[cold]
    #[inline(never)]
    pub(super) fn undo(&self, bytes: usize, blocks: Blocks, raised: Raised) {
        {
            let _pass = self.tree.gate.enter(self);
            self.front.stock.remove(blocks);
            self.cancel(raised);
            self.lower(bytes - raised.bytes());
        }
        self.tell();
    }

    /// Asks the reclaimers for what is missing, until there is enough, or none has any more, or the time is up.
    #[cold]
    fn reclaim_and_decide<'n>(
        &'n self,
        bytes: usize,
        mut decided: Result<Raised, Decided<'n>>,
    ) -> Result<Raised, Decided<'n>> {
        let mut rounds = match &decided {
            Err(Decided { at, .. }) => self.tree.reclaimers.rounds(at, bytes),
            Ok(raised) => return Ok(*raised),
        };
        while let Err(refusal) = &decided {
            if !rounds.next(refusal.at, bytes) {
                break;
            }
            decided = self.decide(bytes);
        }
        decided.map_err(|decided| Decided {
            reclaim: rounds.tried(),
            ..decided
        })
    }
}

/// A refusal that is certain, with the numbers of the moment when it was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decided<'n> {
    pub(super) at: &'n Node,
    pub(super) asked_by: &'n Node,
    pub(super) requested: usize,
    pub(super) limit: usize,
    pub(super) used: usize,
    pub(super) reserved: usize,
    pub(super) reclaim: ReclaimTried,
}

impl<'n> Decided<'n> {
    pub(super) fn at(at: &'n Node, asked_by: &'n Node, requested: usize, used: usize) -> Self {
        Self {
            at,
            asked_by,
            requested,
            limit: at.level.limit.load(Ordering::Relaxed),
            used,
            reserved: at.level.held.load(Ordering::Relaxed),
            reclaim: ReclaimTried::default(),
        }
    }

    /// What the user is told. It counts as refused from here on.
    pub(super) fn refuse(self) -> Details {
        self.at.events.refused.fetch_add(1, Ordering::Relaxed);
        Details::of(self)
    }
}

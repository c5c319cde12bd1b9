//! How much is drawn ahead of need: as much as limits and peaks allow.
//!
//! The highest `sure` of a level is its peak, and what lies ready in stocks is part of it. So stocks must not hide how little
//! is used when a new peak is reached: `sure` rises freely up to the *fence* only. Who would cross it first empties all stocks
//! below, which leaves what is really used, and then sets the fence 1/64 above that. In the steady state, below the peak,
//! this costs nothing; a climb crosses few fences, since each is 1/64 above the one before.

use super::levels::not_negative;
use super::node::Node;
use super::stock::CAPACITY;
use crate::sync::Ordering;

/// The most that a scope draws ahead of its needs.
const LARGEST_BATCH: usize = CAPACITY / 2;
/// Less than this is not worth drawing ahead. Closer than four times this to a limit, stocks stay closed.
const SMALLEST_BATCH: usize = if cfg!(loom) { 4 } else { 1 << 10 };
/// A batch that a fence has cut below this is none.
const LEAST: usize = if cfg!(loom) { 1 } else { 64 };

impl Node {
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

    /// Sets the fence 1/64 above what is used, now that stocks are empty.
    fn advance_fence(&self, in_hand: usize) {
        let sure = not_negative(self.level.sure.load(Ordering::Relaxed));
        let sure = sure.saturating_sub(in_hand);
        let fence = sure.saturating_add(sure / 64);
        if fence > self.level.fence.load(Ordering::Relaxed) {
            self.level.fence.fetch_max(fence, Ordering::Relaxed);
        }
    }
}

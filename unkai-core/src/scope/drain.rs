//! Calling stocks in: emptying them for a peak, closing them to know for certain whether there is room.
//!
//! The stock that is lent to another thread is taken away first. That takes a system call, so it is done in two walks with one
//! call in between, and only where there is such a stock.

use super::barrier;
use super::bias::Contents;
use super::gate::Held;
use super::levels::NoRoom;
use super::node::Node;
use super::thread::{ThreadRecord, this_thread};
use crate::sync::Ordering;

/// In whose name ownerships are revoked by who is alone: nobody else's, since there is only one.
const ALONE: usize = 1;

/// A level that has no room, as is known for certain.
#[derive(Debug)]
pub(super) struct NoRoomForCertain<'n> {
    pub(super) at: &'n Node,
    /// Whether it is known, too, that all bytes held there are used.
    pub(super) all_used: bool,
}

/// Makes attempts until one finds room, each alone below the level that had none for the one before, and with all stocks
/// there closed: a level without room then has none. One whose limit is below the attempt never has.
pub(super) fn try_alone<'n, R>(
    held: &mut Held<'_>,
    mut attempt: impl FnMut() -> Result<R, NoRoom<'n>>,
) -> Result<R, NoRoomForCertain<'n>> {
    let mut alone: Option<&Node> = None;
    let mut guarantees = false;
    loop {
        let NoRoom { at, bytes } = match attempt() {
            Ok(result) => return Ok(result),
            Err(no_room) => no_room,
        };
        let closed = alone.is_some_and(|alone| at.is_under(alone));
        if closed || bytes > at.level.limit.load(Ordering::Relaxed) {
            let all_used = closed && !guarantees;
            return Err(NoRoomForCertain { at, all_used });
        }
        held.alone_under(at);
        guarantees = at.close_stocks_below();
        alone = Some(at);
    }
}

impl Node {
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
    /// for who is alone there. Returns whether anything below has a guarantee: if not, what is held here is in use.
    pub(super) fn close_stocks_below(&self) -> bool {
        let me = this_thread();
        let (mut revoked, mut guarantees) = (false, false);
        self.for_each_below(&mut |node| {
            for stock in node.lent_stocks() {
                revoked |= stock.begin_revoking(me, ALONE);
            }
            node.close_stocks(me);
            guarantees |= node.min() > 0;
        });
        if revoked {
            barrier::heavy();
            self.for_each_below(&mut |node| {
                for stock in node.lent_stocks() {
                    node.lower(node.take_over(stock.finish_revoking(ALONE)));
                }
            });
        }
        if guarantees {
            self.for_each_below(&mut |node| {
                if !std::ptr::eq(node, self)
                    && let Some(parent) = node.parent()
                {
                    parent.lower(node.take_excess_credit());
                }
            });
        }
        guarantees
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
}

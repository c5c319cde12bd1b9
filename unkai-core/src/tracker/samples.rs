//! Recording a sampled block, and closing its record.

use std::alloc::Layout;

use super::{Caller, Tables, Tracker, mark};
use crate::entered::Entered;
use crate::losses::Cause;
use crate::probe::thread;
use crate::probe::unwind::{self, CallStack};
use crate::store::live::LiveBlock;
use crate::store::sites::SiteId;
use crate::store::trie::{Interned, NodeId};
use crate::sync::Ordering;

/// A record that was taken out of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Closed {
    pub(super) block: LiveBlock,
    /// Nanoseconds that the block has lived.
    lifetime: u64,
}

impl Tracker {
    /// Records a block that was just allocated as a sample standing for `blocks` blocks. `false` if there is no room: then
    /// nothing of it is known.
    pub(super) fn record<H>(
        &self,
        tables: &Tables,
        caller: &Caller<'_, H>,
        address: *mut u8,
        layout: Layout,
        marked: bool,
        blocks: f64,
    ) -> bool {
        let inside = thread::enter();
        let entered = inside.witness();
        let address = address as u64;
        if tables.live.may_contain(address)
            && let Some(missed) = self.take(tables, entered, address)
        {
            self.note_unmarked_gone(&missed);
            self.lost.count(Cause::FreeMissed);
        }
        let block = LiveBlock {
            size: layout.size(),
            align: layout.align(),
            marked,
            born: tables.clock.now(),
            site: self.site(tables, entered, caller),
            blocks,
        };
        let recorded = tables.live.insert(entered, address, &block);
        if recorded {
            tables
                .sites
                .add(entered, block.site, block.weight(), tables.peak.epoch());
        } else {
            self.lost.count(Cause::LiveTableFull);
        }
        inside.leave();
        recorded
    }

    /// The record of a block, if it is a sample.
    pub(super) fn known(&self, tables: &Tables, address: *mut u8) -> Option<LiveBlock> {
        let address = address as u64;
        if tables.live.may_contain(address) {
            tables.live.find(address)
        } else {
            None
        }
    }

    /// Closes the record of a block, if it is a sample.
    pub(super) fn close(&self, tables: &Tables, address: *mut u8) -> Option<Closed> {
        let address = address as u64;
        if !tables.live.may_contain(address) {
            return None;
        }
        let inside = thread::enter();
        let closed = self.take(tables, inside.witness(), address);
        inside.leave();
        closed
    }

    /// Opens a record again whose block was not freed after all.
    pub(super) fn reopen(&self, tables: &Tables, address: *mut u8, closed: &Closed) {
        let inside = thread::enter();
        let entered = inside.witness();
        if tables.live.insert(entered, address as u64, &closed.block) {
            let block = &closed.block;
            tables
                .sites
                .put_back(entered, block.site, block.weight(), closed.lifetime);
        } else {
            self.lost.count(Cause::LiveTableFull);
        }
        inside.leave();
    }

    fn take(&self, tables: &Tables, entered: &Entered, address: u64) -> Option<Closed> {
        let block = tables.live.remove(entered, address)?;
        let lifetime = tables.clock.now().saturating_sub(block.born);
        let epoch = tables.peak.epoch();
        tables
            .sites
            .remove(entered, block.site, block.weight(), epoch, lifetime);
        Some(Closed { block, lifetime })
    }

    fn site<H>(&self, tables: &Tables, entered: &Entered, caller: &Caller<'_, H>) -> SiteId {
        let (skip, most) = (
            tables.config.get_skip_frames(),
            tables.config.get_max_frames(),
        );
        let mut stack = CallStack::new(skip, most);
        unwind::capture(entered, caller.registers, &mut stack);
        if stack.frames().is_empty() {
            self.lost.count(Cause::StackMissing);
        } else if stack.truncated() {
            self.lost.count(Cause::StackTruncated);
        }
        let root = if stack.truncated() {
            NodeId::TRUNCATED
        } else {
            NodeId::ROOT
        };
        let spare_cell = &caller.cells.own.spare_node;
        let mut spare = spare_cell.load(Ordering::Relaxed);
        let interned = tables
            .trie
            .intern(entered, root, stack.frames(), &mut spare);
        spare_cell.store(spare, Ordering::Relaxed);
        let node = match interned {
            Interned::Whole(node) => node,
            Interned::Prefix(node) => {
                self.lost.count(Cause::StacksFull);
                tables.trie.set_prefix(node);
                node
            }
        };
        tables
            .sites
            .of(entered, &tables.trie, node)
            .unwrap_or_else(|| {
                self.lost.count(Cause::SitesFull);
                SiteId::OTHER
            })
    }
}

/// What the inner allocator knows of a recorded block that the program has at `address`: its beginning and its layout.
pub(super) fn inner_of(block: &LiveBlock, address: *mut u8) -> (*mut u8, Layout) {
    let layout = layout_of(block);
    match mark::placement(layout) {
        Some(place) if block.marked => (address.wrapping_sub(place.offset), place.layout),
        _ => (address, layout),
    }
}

/// The layout with which the program requested a recorded block.
pub(super) fn layout_of(block: &LiveBlock) -> Layout {
    // SAFETY: size and alignment are those of the valid layout that was recorded.
    unsafe { Layout::from_size_align_unchecked(block.size, block.align) }
}

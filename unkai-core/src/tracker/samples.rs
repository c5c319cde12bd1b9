//! Recording a sampled block, and closing its record.

use std::alloc::Layout;

use super::control::Control;
use super::{Caller, Tables, Tracker, mark};
use crate::losses::Cause;
use crate::probe::clock::Tick;
use crate::probe::thread;
use crate::store::live::LiveBlock;
use crate::store::room::Stock;

/// A record that was taken out of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Closed {
    pub(super) block: LiveBlock,
    /// Nanoseconds that the block has lived.
    lifetime: u64,
}

impl Tracker {
    /// Records a block that was just allocated as a sample standing for `blocks` blocks; `mark` as in [`LiveBlock`]. `false` if there is no
    /// room: then nothing of it is known.
    pub(super) fn record<H>(
        &self,
        tables: &Tables,
        caller: &Caller<'_, H>,
        address: *mut u8,
        layout: Layout,
        mark: Option<u8>,
        blocks: f64,
    ) -> bool {
        let inside = thread::enter();
        let entered = inside.witness();
        let address = address as u64;
        let stock = Some(&caller.cells.own.live_stock);
        tables.live.prefetch(address);
        let site = self.site(tables, entered, caller);
        if let Some(missed) = self.take(tables, address, stock) {
            self.note_unmarked_gone(&missed);
            self.lost.count(Cause::FreeMissed);
        }
        let block = LiveBlock {
            size: layout.size(),
            align: layout.align(),
            mark,
            born: tables.clock.tick().0,
            site,
            blocks,
            // It only steers: that it may be newer by a step than what this sample was chosen by does no harm.
            steps: self.control.widening().steps(),
            share: Control::share_of(caller.cells),
        };
        let recorded = tables.live.insert(entered, address, &block, stock);
        match recorded {
            Ok(()) => tables
                .sites
                .add(block.site, block.weight(), tables.peak.epoch()),
            Err(cause) => self.lost.count(cause),
        }
        inside.leave();
        recorded.is_ok()
    }

    /// The record of a block, if it is a sample.
    pub(super) fn known(&self, tables: &Tables, address: *mut u8) -> Option<LiveBlock> {
        tables.live.find(address as u64)
    }

    /// Closes the record of a block, if it is a sample.
    pub(super) fn close(
        &self,
        tables: &Tables,
        address: *mut u8,
        stock: Option<&Stock>,
    ) -> Option<Closed> {
        self.take(tables, address as u64, stock)
    }

    /// Opens a record again whose block was not freed after all.
    pub(super) fn reopen(
        &self,
        tables: &Tables,
        address: *mut u8,
        closed: &Closed,
        stock: Option<&Stock>,
    ) {
        let inside = thread::enter();
        let entered = inside.witness();
        let block = &closed.block;
        match tables.live.insert(entered, address as u64, block, stock) {
            Ok(()) => tables
                .sites
                .put_back(block.site, block.weight(), closed.lifetime),
            Err(cause) => self.lost.count(cause),
        }
        inside.leave();
    }

    fn take(&self, tables: &Tables, address: u64, stock: Option<&Stock>) -> Option<Closed> {
        let block = tables.live.remove(address, stock)?;
        let (born, now) = (Tick(block.born), tables.clock.tick());
        let lifetime = tables.clock.nanoseconds(born, now);
        let epoch = tables.peak.epoch();
        tables
            .sites
            .remove(block.site, block.weight(), epoch, lifetime);
        Some(Closed { block, lifetime })
    }
}

/// What the inner allocator knows of a recorded block that the program has at `address`: its beginning and its layout.
pub(super) fn inner_of(block: &LiveBlock, address: *mut u8) -> (*mut u8, Layout) {
    let layout = layout_of(block);
    match (block.mark, mark::enlarged(layout)) {
        (Some(offset), Some(enlarged)) => (address.wrapping_sub(usize::from(offset)), enlarged),
        _ => (address, layout),
    }
}

/// The layout with which the program requested a recorded block.
pub(super) fn layout_of(block: &LiveBlock) -> Layout {
    // SAFETY: size and alignment are those of the valid layout that was recorded.
    unsafe { Layout::from_size_align_unchecked(block.size, block.align) }
}

//! From a call stack to the site that counts it.
//!
//! ```text
//!  frames ──hash──▶ memo of whole stacks ──known──▶ site
//!                        │ new
//!                        ▼
//!                   memo of outer parts ──the longest one known──▶ its node ──trie, frame by frame──▶ node ──▶ site
//! ```

use super::{Caller, Tables, Tracker};
use crate::config::MAX_FRAMES;
use crate::entered::Entered;
use crate::losses::Cause;
use crate::probe::unwind::{self, CallStack};
use crate::store::memo::StackHash;
use crate::store::sites::SiteId;
use crate::store::trie::{Interned, NodeId};
use crate::sync::Ordering;

impl Tracker {
    /// Takes the caller's stack; returns the site that counts it.
    pub(super) fn site<H>(
        &self,
        tables: &Tables,
        entered: &Entered,
        caller: &Caller<'_, H>,
    ) -> SiteId {
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
        let hash = StackHash::of(stack.frames(), stack.truncated());
        match tables.sites_of_stacks.find(hash) {
            Some(site) => SiteId::from_number(site),
            None => self.site_of_new(tables, entered, caller, &stack, hash),
        }
    }

    /// The site of a stack that was not seen lately.
    #[cold]
    fn site_of_new<H>(
        &self,
        tables: &Tables,
        entered: &Entered,
        caller: &Caller<'_, H>,
        stack: &CallStack,
        hash: StackHash,
    ) -> SiteId {
        let spare_cell = &caller.cells.own.spare_node;
        let mut spare = spare_cell.load(Ordering::Relaxed);
        let interned = intern(tables, entered, stack, &mut spare);
        spare_cell.store(spare, Ordering::Relaxed);
        // What is counted as lost is not kept: the next such sample is lost too.
        let (node, whole) = match interned {
            Interned::Whole(node) => (node, true),
            Interned::Prefix(node, cause) => {
                self.lost.count(cause);
                tables.trie.set_prefix(node);
                (node, false)
            }
        };
        let site = tables.sites.of(entered, &tables.trie, node);
        self.steer(tables);
        let Some(site) = site else {
            self.lost.count(Cause::SitesFull);
            return SiteId::OTHER;
        };
        if whole {
            tables.sites_of_stacks.keep(hash, site.number());
        }
        site
    }
}

/// The node of a stack. Stacks share their outer parts, so the way through the trie begins where the longest part ends
/// that was seen lately, of those that are a multiple of [`PART`] frames long.
fn intern(tables: &Tables, entered: &Entered, stack: &CallStack, spare: &mut u32) -> Interned {
    let root = if stack.truncated() {
        NodeId::TRUNCATED
    } else {
        NodeId::ROOT
    };
    let parts = || stack.frames().rchunks(PART);
    let mut hashes = [StackHash::of(&[], stack.truncated()); MAX_FRAMES / PART + 1];
    for (index, part) in parts().enumerate() {
        hashes[index + 1] = hashes[index].and(part);
    }
    let known = |count: usize| {
        let node = tables.nodes_of_parts.find(hashes[count])?;
        Some((count, NodeId::from_number(node)))
    };
    let whole_parts = stack.frames().len() / PART;
    let longest = (1..=whole_parts).rev().find_map(known);
    let (start, mut node) = longest.unwrap_or((0, root));
    for (index, part) in parts().enumerate().skip(start) {
        match tables.trie.intern(entered, node, part, spare) {
            Interned::Whole(next) => node = next,
            Interned::Prefix(next, cause) => return Interned::Prefix(next, cause),
        }
        if part.len() == PART {
            tables.nodes_of_parts.keep(hashes[index + 1], node.number());
        }
    }
    Interned::Whole(node)
}

/// Frames of a part.
const PART: usize = 8;

//! Call stacks as return addresses: no names, no allocation, no lock.
//!
//! One seam, [`capture`], and three ways behind it:
//!
//! | way | file | needs | a stack of 30 frames: warm, from the last cache |
//! |---|---|---|---|
//! | frame pointers | `frame_pointers` | a build with `-C force-frame-pointers=yes` | 0.06 µs, 0.12 µs |
//! | unwind tables | `tables` | Linux, x86-64 or aarch64 | 0.20 µs, 0.59 µs |
//! | portable | `portable` (by `backtrace`) | a platform's own unwinder | 3.5 µs, 4.3 µs |
//!
//! The figures are those of `ci/unwinders.sh` on x86-64; `docs/frame-pointers.md` tells users about them.
//!
//! Tables are the rule. Frame pointers take over once they have agreed with the tables on some dozens of real stacks, are
//! checked again now and then, and are given up for good at the first contradiction (`frame_pointers/trust`). The portable
//! way stands in where neither is ported, before `main` (the tables are read by a constructor of the library, outside of any
//! allocation), and for stacks that lead through a module that was loaded since the tables were read.

mod bounds;
#[cfg(any(test, unkai_internals))]
mod chain;
mod frame_pointers;
#[cfg(unkai_internals)]
pub(crate) mod internals;
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(unkai_portable)
))]
mod modules;
mod portable;
mod registers;
#[cfg(test)]
pub(crate) mod scripted;
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(unkai_portable)
))]
mod tables;
#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(unkai_portable)
)))]
#[path = "no_tables.rs"]
mod tables;

use std::mem::MaybeUninit;

use crate::config::MAX_FRAMES;
use crate::entered::Entered;
use crate::snapshot::UnwinderKind;
use crate::sync::{AtomicU8, Ordering};

pub use registers::Registers;

/// A stack being taken: return addresses, innermost first.
///
/// Two kilobytes that are not initialised, for most stacks are short: it is filled where it stands, and never moved.
#[derive(Debug)]
pub(crate) struct CallStack {
    frames: [MaybeUninit<u64>; MAX_FRAMES],
    /// Invariant: that many frames are initialised.
    length: usize,
    most: usize,
    skip: usize,
    skipped: usize,
    truncated: bool,
}

impl CallStack {
    /// An empty stack that will leave out the `skip` innermost frames and keep `most` at most.
    #[inline(always)]
    pub(crate) fn new(skip: usize, most: usize) -> Self {
        Self {
            frames: [const { MaybeUninit::uninit() }; MAX_FRAMES],
            length: 0,
            most: most.min(MAX_FRAMES),
            skip,
            skipped: 0,
            truncated: false,
        }
    }

    pub(crate) fn frames(&self) -> &[u64] {
        // SAFETY: the first `length` frames are initialised and belong to `self`, which is borrowed for as long.
        unsafe { std::slice::from_raw_parts(self.frames.as_ptr().cast(), self.length) }
    }

    /// Whether outer frames are missing.
    pub(crate) fn truncated(&self) -> bool {
        self.truncated
    }

    /// Adds a frame. `false` if the stack is full: then no more are wanted.
    fn push(&mut self, return_address: u64) -> bool {
        if self.skipped < self.skip {
            self.skipped += 1;
            return true;
        }
        if self.length == self.most {
            self.truncated = true;
            return false;
        }
        self.frames[self.length].write(return_address);
        self.length += 1;
        true
    }

    /// Forgets all frames, for another walk.
    fn restart(&mut self) {
        (self.length, self.skipped, self.truncated) = (0, 0, false);
    }

    /// An empty stack with the same settings.
    #[inline(always)]
    fn like(&self) -> Self {
        Self::new(self.skip, self.most)
    }
}

/// Takes the stack of the function in which `registers` were captured: its caller is the innermost frame.
pub(crate) fn capture(inside: &Entered, registers: &Registers, stack: &mut CallStack) {
    #[cfg(test)]
    if scripted::walk(stack) {
        return;
    }
    let kind = if frame_pointers::trusted() && frame_pointers::walk(registers, stack) {
        UnwinderKind::FramePointers
    } else {
        stack.restart();
        if tables::walk(inside, registers, stack) {
            frame_pointers::compare(registers, stack);
            UnwinderKind::Tables
        } else {
            stack.restart();
            portable::walk(inside, registers, stack);
            UnwinderKind::Portable
        }
    };
    LAST_KIND.store(kind as u8, Ordering::Relaxed);
}

/// Brings the list of loaded modules up to date. Not to be called inside an allocation: it allocates.
pub(crate) fn refresh() {
    tables::refresh();
}

/// The way in which the last stack was taken.
pub(crate) fn last_kind() -> UnwinderKind {
    const KINDS: [UnwinderKind; 4] = [
        UnwinderKind::None,
        UnwinderKind::FramePointers,
        UnwinderKind::Tables,
        UnwinderKind::Portable,
    ];
    KINDS
        .into_iter()
        .find(|&kind| kind as u8 == LAST_KIND.load(Ordering::Relaxed))
        .unwrap_or(UnwinderKind::None)
}

/// Whether the program keeps frame pointers, as far as is known.
pub(crate) fn frame_pointers_found() -> Option<bool> {
    frame_pointers::found()
}

/// Modules whose tables are known.
pub(crate) fn modules() -> u32 {
    tables::modules()
}

/// Bytes of heap that the unwinder holds, about.
pub(crate) fn own_bytes() -> u64 {
    tables::own_bytes()
}

static LAST_KIND: AtomicU8 = AtomicU8::new(UnwinderKind::None as u8);

#[cfg(test)]
mod tests;

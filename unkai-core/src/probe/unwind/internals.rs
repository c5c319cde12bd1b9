//! Each way of taking stacks by itself, for `benches/unwinders.rs`. Compiled with `--cfg unkai_internals` only: it is no
//! part of what the crate offers.

use super::{CallStack, Registers, chain, frame_pointers, portable, tables};
use crate::config::MAX_FRAMES;
use crate::probe::thread;

/// A way of taking a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By the chain of frame pointers, whether or not the program keeps them.
    FramePointers,
    /// By the modules' unwind tables.
    Tables,
    /// By the platform's own unwinder.
    Portable,
}

/// Room for a stack.
#[derive(Debug)]
pub struct Stack(CallStack);

impl Stack {
    /// An empty stack.
    #[inline(always)]
    #[expect(clippy::new_without_default, reason = "nobody needs a default one")]
    pub fn new() -> Self {
        Self(CallStack::new(0, MAX_FRAMES))
    }

    /// Takes the stack of the function in which `registers` were captured. `false` if this way does not lead outwards.
    pub fn take(&mut self, way: Way, registers: &Registers) -> bool {
        let inside = thread::enter();
        self.0.restart();
        let taken = match way {
            Way::FramePointers => frame_pointers::walk(registers, &mut self.0),
            Way::Tables => tables::walk(inside.witness(), registers, &mut self.0),
            Way::Portable => {
                portable::walk(inside.witness(), registers, &mut self.0);
                true
            }
        };
        inside.leave();
        taken
    }

    /// Its return addresses, innermost first.
    pub fn frames(&self) -> &[u64] {
        self.0.frames()
    }
}

/// Calls `work` from within a chain of `links` functions; the same seed leads through the same ones.
#[inline(always)]
pub fn call_chain(seed: u64, links: u32, work: &mut dyn FnMut()) {
    chain::call(seed, links, work);
}

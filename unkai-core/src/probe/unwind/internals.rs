//! Each way of taking stacks by itself, for `benches/unwinders.rs`, and over tables and stacks that may be anything, for
//! `reliability/fuzz`. Compiled with `--cfg unkai_internals` only: it is no part of what the crate offers.

use std::ops::Range;

use super::{CallStack, Registers, bounds, chain, frame_pointers, portable, tables};
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

    /// Walks from `registers` by frame pointers alone, on a stack that is `memory` and nothing else; if the stack pointer is not
    /// in there, on a hand-made stack.
    pub fn take_by_chain_in(&mut self, registers: &Registers, memory: &[u64]) -> bool {
        self.0.restart();
        bounds::stack_is(memory);
        frame_pointers::walk(registers, &mut self.0)
    }

    /// Walks from `registers` by these tables alone, on a stack that is `memory` and nothing else; if the stack pointer is not
    /// in there, on a hand-made stack.
    #[cfg(all(target_os = "linux", target_arch = "x86_64", not(unkai_portable)))]
    pub fn take_by_tables_in(
        &mut self,
        tables: &Tables,
        registers: &Registers,
        memory: &[u64],
    ) -> bool {
        self.0.restart();
        bounds::stack_is(memory);
        tables.0.walk(registers, &mut self.0)
    }

    /// Its return addresses, innermost first.
    pub fn frames(&self) -> &[u64] {
        self.0.frames()
    }
}

/// The unwind tables of a module that need not exist.
#[cfg(all(target_os = "linux", target_arch = "x86_64", not(unkai_portable)))]
#[expect(missing_debug_implementations, reason = "nobody shows one")]
pub struct Tables(tables::Foreign);

#[cfg(all(target_os = "linux", target_arch = "x86_64", not(unkai_portable)))]
impl Tables {
    /// Of a module with its code at `code`, `.eh_frame_hdr` at `header` and `.eh_frame` at `frames`. What was kept of others is
    /// forgotten: these are the only ones.
    pub fn new(
        code: Range<u64>,
        header: (u64, &'static [u8]),
        frames: (u64, &'static [u8]),
    ) -> Self {
        Self(tables::Foreign::new(code, header, frames))
    }
}

/// Registers with these values.
#[cfg(target_arch = "x86_64")]
pub fn registers(instruction: u64, stack: u64, frame: u64) -> Registers {
    Registers {
        instruction,
        stack,
        frame,
    }
}

/// Calls `work` from within a chain of `links` functions; the same seed leads through the same ones.
#[inline(always)]
pub fn call_chain(seed: u64, links: u32, work: &mut dyn FnMut()) {
    chain::call(seed, links, work);
}

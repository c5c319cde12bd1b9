//! The chain of frame pointers: the fastest walk there is, where the program keeps them.
//!
//! Whether it does cannot be known from inside a compilation, so it is proven: [`compare`] walks the chain beside the
//! tables on real stacks, and only after so many agreements (`trust`) is the chain trusted alone. Libraries that keep no frame
//! pointers end the chain or hide a frame; each step is checked against the bounds of the stack and must go outwards, so
//! the worst that garbage can do is to end a walk.

mod trust;

use super::bounds::Readable;
use super::registers::without_signature;
use super::{CallStack, Registers, tables};

use trust::Trust;

/// Outermost frames that the chain may lack: the C library's start-up code keeps no frame pointers.
const MISSING_AT_MOST: usize = 4;

static TRUST: Trust = Trust::new();

/// Whether this walk may use the chain alone.
pub(super) fn trusted() -> bool {
    TRUST.spares_comparison()
}

/// What is known of the program: it keeps frame pointers, it does not, or it is not known yet.
pub(super) fn found() -> Option<bool> {
    TRUST.found()
}

/// Walks the chain. `false` if not a single frame was found, or if it leads through code that is not known: through a
/// module that was loaded since the tables were read, which may well be without frame pointers.
pub(super) fn walk(registers: &Registers, stack: &mut CallStack) -> bool {
    let readable = Readable::from(registers);
    let mut frame = registers.frame;
    let mut found = false;
    let mut known = 0..0;
    // Each frame holds the caller's frame pointer, then the return address.
    while let (Ok(next), Ok(return_address)) =
        (readable.word(frame), readable.word(frame.wrapping_add(8)))
    {
        let return_address = without_signature(return_address);
        // Most frames are of the same module as the one before.
        if !known.contains(&return_address) {
            known = tables::code_of(return_address).unwrap_or(0..0);
        }
        if known.is_empty() {
            // Either the end of the chain, where the C library used the register for something else, or unknown code.
            let goes_on = next > frame && readable.word(next).is_ok();
            return found && !(goes_on && return_address >= LOWEST_CODE);
        }
        if !stack.push(return_address) {
            return true;
        }
        found = true;
        if next <= frame {
            break;
        }
        frame = next;
    }
    found
}

/// Compares the chain with `by_tables`, a stack that the tables gave from the same registers.
pub(super) fn compare(registers: &Registers, by_tables: &CallStack) {
    // Too short a stack proves nothing.
    if TRUST.is_refuted() || by_tables.frames().len() <= MISSING_AT_MOST + 1 {
        return;
    }
    let mut by_chain = by_tables.like();
    walk(registers, &mut by_chain);
    let (chain, tables) = (by_chain.frames(), by_tables.frames());
    let agreed = tables.starts_with(chain) && chain.len() + MISSING_AT_MOST >= tables.len();
    TRUST.compared(agreed);
}

/// No code is mapped below this address on any supported platform.
const LOWEST_CODE: u64 = 4096;

//! The chain of frame pointers: the fastest walk there is, where the program keeps them.
//!
//! Whether it does cannot be known from inside a compilation, so it is proven: [`compare`] walks the chain beside the
//! tables on real stacks, and only after [`PROOFS`] agreements is the chain trusted alone. Libraries that keep no frame
//! pointers end the chain or hide a frame; each step is checked against the bounds of the stack and must go outwards, so
//! the worst that garbage can do is to end a walk.

use super::bounds::Readable;
use super::{CallStack, Registers, tables};
use crate::sync::{AtomicU32, Ordering};

/// Agreements with the tables before the chain is trusted.
pub(super) const PROOFS: u32 = 32;

/// One walk in so many is compared again, once the chain is trusted.
const CHECK_EVERY: u32 = 1024;

/// Outermost frames that the chain may lack: the C library's start-up code keeps no frame pointers.
const MISSING_AT_MOST: usize = 4;

/// Agreements so far, or `REFUTED`; trusted walks are counted on from `PROOFS`.
static STATE: AtomicU32 = AtomicU32::new(0);
const REFUTED: u32 = u32::MAX;

/// Whether this walk may use the chain alone.
pub(super) fn trusted() -> bool {
    let state = STATE.load(Ordering::Relaxed);
    if !(PROOFS..REFUTED).contains(&state) {
        return false;
    }
    // Relaxed load and store: a lost count only moves the next comparison.
    let next = PROOFS + (state + 1 - PROOFS) % CHECK_EVERY;
    STATE.store(next, Ordering::Relaxed);
    next != PROOFS
}

/// What is known of the program: it keeps frame pointers, it does not, or it is not known yet.
pub(super) fn found() -> Option<bool> {
    match STATE.load(Ordering::Relaxed) {
        REFUTED => Some(false),
        0..PROOFS => None,
        _ => Some(true),
    }
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
    let state = STATE.load(Ordering::Relaxed);
    // Too short a stack proves nothing.
    if state == REFUTED || by_tables.frames().len() <= MISSING_AT_MOST + 1 {
        return;
    }
    let mut by_chain = by_tables.like();
    walk(registers, &mut by_chain);
    let (chain, tables) = (by_chain.frames(), by_tables.frames());
    let agreed = tables.starts_with(chain) && chain.len() + MISSING_AT_MOST >= tables.len();
    let next = if !agreed {
        REFUTED
    } else if state < PROOFS {
        state + 1
    } else {
        state
    };
    // Relaxed: of two results at once one may be lost; a contradiction will come again.
    STATE.store(next, Ordering::Relaxed);
}

/// No code is mapped below this address on any supported platform.
const LOWEST_CODE: u64 = 4096;

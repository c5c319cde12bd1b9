//! The `backtrace` crate's walk: slower, but at home wherever Rust is.

use super::{CallStack, Registers};
use crate::entered::Entered;

/// Walks with the platform's own unwinder.
pub(super) fn walk(_inside: &Entered, registers: &Registers, stack: &mut CallStack) {
    let step = |frame: &backtrace::Frame| {
        // Frames at or below the starting function's stack pointer are our own.
        if frame.sp() as u64 <= registers.stack {
            return true;
        }
        let address = frame.ip() as u64;
        address == 0 || stack.push(address)
    };
    // SAFETY: unsynchronised tracing must not run concurrently on platforms that keep global state for it, which is
    // Windows (dbghelp). There the synchronised variant is used below.
    #[cfg(not(windows))]
    unsafe {
        backtrace::trace_unsynchronized(step);
    }
    #[cfg(windows)]
    backtrace::trace(step);
}

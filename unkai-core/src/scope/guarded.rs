//! Code of the user's, called from inside an allocation or a free: it may do anything but call itself, and its panics stop
//! here.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    /// Without destructor, so that it can be read at any time.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside a callback, so that another must not be called.
pub(super) fn is_inside() -> bool {
    INSIDE.try_with(Cell::get).unwrap_or(true)
}

/// Calls `callback`, with [`is_inside`] true meanwhile. A panic ends here: an allocator must not unwind. `None` if it
/// panicked, or if this thread is inside a callback already.
pub(super) fn call<R>(callback: impl FnOnce() -> R) -> Option<R> {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            let _ = INSIDE.try_with(|inside| inside.set(false));
        }
    }

    if is_inside() {
        return None;
    }
    let _ = INSIDE.try_with(|inside| inside.set(true));
    let _leave = Leave;
    contain(callback)
}

/// Calls `callback`; a panic ends here.
pub(super) fn contain<R>(callback: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(callback)) {
        Ok(result) => Some(result),
        Err(payload) => {
            // Dropping the payload may panic once more; then it is lost.
            if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                std::mem::forget(again);
            }
            None
        }
    }
}

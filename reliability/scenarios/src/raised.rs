//! A flag that ends other threads, also if the thread that was to raise it panics: a scenario that fails says so, and does not hang.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// Raises the flag when it goes.
#[derive(Debug)]
pub(crate) struct RaisedAtTheEnd<'a>(pub(crate) &'a AtomicBool);

impl Drop for RaisedAtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

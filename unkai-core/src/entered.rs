//! The witness that this thread is inside unkai.
//!
//! Whatever may allocate, unwind or touch the profiler's tables takes an `&Entered`. Only [`crate::probe::thread`] makes
//! one, after it has set the thread so that an allocation by unkai's own code passes straight through: "this runs under
//! the re-entrancy guard" is thereby checked by the compiler. The type has a file of its own so that `store` need not
//! know `probe`.

use std::marker::PhantomData;

/// Proof that the current thread is marked as inside unkai. Neither `Send` nor `Sync`: it speaks of one thread.
#[derive(Debug)]
pub(crate) struct Entered {
    this_thread: PhantomData<*const ()>,
}

impl Entered {
    /// Vouches that the current thread is marked (or that the caller is a test of a table on its own).
    pub(crate) const fn vouch() -> Self {
        Self {
            this_thread: PhantomData,
        }
    }
}

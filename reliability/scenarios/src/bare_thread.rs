//! Threads of the C library's. One of std's allocates its name and handle before its function runs, and takes a lock as it
//! starts and ends; in a forked child that may be held for ever.

use std::ffi::c_void;
use std::ptr;

/// What a thread does.
pub(crate) type Body = extern "C" fn(*mut c_void) -> *mut c_void;

/// To be joined.
#[must_use]
#[derive(Debug)]
pub(crate) struct BareThread(libc::pthread_t);

impl BareThread {
    /// Starts a thread with this argument.
    pub(crate) fn start(body: Body, argument: usize) -> Self {
        let argument = ptr::without_provenance_mut(argument);
        let mut thread = 0;
        // SAFETY: a function for a thread, whose argument is a number.
        let failed = unsafe { libc::pthread_create(&mut thread, ptr::null(), body, argument) };
        assert_eq!(failed, 0, "no thread");
        Self(thread)
    }

    /// Waits for its end.
    pub(crate) fn join(self) {
        // SAFETY: started by `start`, and joined once.
        assert_eq!(unsafe { libc::pthread_join(self.0, ptr::null_mut()) }, 0);
    }
}

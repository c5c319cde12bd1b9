//! A proof that what is registered for the end of the process has run: the last of it ends the process by a signal.

/// By which the process then ends.
pub(crate) const SIGNAL: i32 = libc::SIGTERM;

/// Registers `handler` for the end. What is registered later runs earlier.
pub(super) fn register(handler: extern "C" fn()) {
    // SAFETY: a function without arguments, that is there to the end.
    assert_eq!(unsafe { libc::atexit(handler) }, 0, "no handler");
}

/// Ends the process, if it was told to in time: a panic in a handler for the end is an abort.
pub(super) fn say() -> ! {
    // SAFETY: nobody has another handler for it, so it ends the process.
    unsafe { libc::raise(SIGNAL) };
    // SAFETY: ends the process at once; not reached.
    unsafe { libc::_exit(1) }
}

//! The two calls by which the system calls back: at a signal, and at exit.

#![expect(unsafe_code, reason = "handlers are registered with the system")]

use std::io;

use signal_hook_registry::SigId;

use crate::Trigger;

/// Pulls `trigger` at each `signal`, after what other handlers do. The signal must be one that may be handled.
pub(super) fn on_signal(signal: i32, trigger: Trigger) -> io::Result<SigId> {
    // SAFETY: the action may be called at any moment, so it must be async-signal-safe, and `pull` is: it stores to atomics
    // and wakes a sleeper by a system call, without a lock and without an allocation. It does not panic.
    unsafe { signal_hook_registry::register(signal, move || trigger.pull()) }
}

/// Takes back what [`on_signal`] has registered.
pub(super) fn not_on_signal(id: SigId) {
    signal_hook_registry::unregister(id);
}

/// Calls `function` when `main` returns or `exit` is called. It must not unwind, and must not call `exit`.
pub(super) fn at_exit(function: extern "C" fn()) -> Option<()> {
    // SAFETY: the function may be called at any later moment on any thread: it is safe to call, and as code of this very
    // library it is there as long as its registration.
    let refused = unsafe { libc::atexit(function) };
    (refused == 0).then_some(())
}

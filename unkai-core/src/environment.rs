//! Whether the environment of this process may be obeyed.

/// Whether who has set the environment variables of this process may do no less than the process itself.
///
/// A program that is set-user-ID or set-group-ID, or has capabilities of its own, runs with more rights than whoever starts
/// it, and the variables come from the latter. One that writes files or opens ports must not be obeyed then: it would do so
/// with the program's rights. This is the question that `secure_getenv` asks.
///
/// `true` where the system has no such programs. Costs no system call on Linux.
pub fn is_trusted() -> bool {
    system::is_trusted()
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    pub(super) fn is_trusted() -> bool {
        // SAFETY: reads what the kernel has told the process at its start; it takes any key, and answers 0 to one that is not
        // there.
        let is_secure = unsafe { libc::getauxval(libc::AT_SECURE) };
        is_secure == 0
    }
}

/// From OpenBSD, and in every other unix since.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
mod system {
    unsafe extern "C" {
        /// Whether the process has changed its rights, or was started with others than its parent has.
        safe fn issetugid() -> std::ffi::c_int;
    }

    pub(super) fn is_trusted() -> bool {
        issetugid() == 0
    }
}

#[cfg(not(unix))]
mod system {
    pub(super) fn is_trusted() -> bool {
        true
    }
}

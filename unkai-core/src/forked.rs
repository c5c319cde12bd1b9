//! What a forked child of a test says.

/// Forks. The child does what `says` does, and ends with the number that it returns; that is returned here.
pub(crate) fn says(says: impl FnOnce() -> i32) -> i32 {
    // SAFETY: the child goes on with this thread alone, calls what is under test, and ends at once.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let says = says();
        // SAFETY: ends this process.
        unsafe { libc::_exit(says) }
    }
    let mut status = 0;
    // SAFETY: our child, not yet waited for; `status` is room for the answer.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert!(libc::WIFEXITED(status), "{status:#x}");
    libc::WEXITSTATUS(status)
}

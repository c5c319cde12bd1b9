//! Forked children, with a limit on their time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

/// A child that takes longer hangs.
const AT_MOST: Duration = Duration::from_secs(60);

/// What a child is doing, in memory that its parent sees.
#[derive(Debug)]
pub(crate) struct Progress(AtomicPtr<&'static str>);

impl Progress {
    /// Says what comes next.
    pub(crate) fn at(&self, step: &'static &'static str) {
        self.0.store(ptr::from_ref(step).cast_mut(), SeqCst);
    }
}

/// Forks. The child does `work` and ends; if that panics, hangs or ends the process in another way, this panics and says
/// at which step.
pub(crate) fn play(context: &str, work: impl FnOnce(&Progress)) {
    let progress = shared();
    progress.at(&"the fork itself");
    // SAFETY: the child goes on with this thread alone, and ends within this call. What it needs of the locks that other
    // threads may hold is what is under test.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "{context}: no child");
    if child == 0 {
        let played = catch_unwind(AssertUnwindSafe(|| work(progress)));
        // SAFETY: ends the process at once. The child runs nothing of what its parent would run at its end.
        unsafe { libc::_exit(i32::from(played.is_err())) }
    }
    let start = Instant::now();
    let status = loop {
        let mut status = 0;
        // SAFETY: our child, not yet waited for; `status` is room for the answer.
        let ended = unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) };
        if ended == child {
            break Some(status);
        }
        assert_eq!(ended, 0, "{context}: the child cannot be waited for");
        if start.elapsed() > AT_MOST {
            break None;
        }
        thread::sleep(Duration::from_micros(100));
    };
    // SAFETY: stored by the child or above: a static, which is at the same place in both processes.
    let step = unsafe { *progress.0.load(SeqCst) };
    // SAFETY: the mapping that `shared` has made; nobody uses it from here on.
    unsafe { libc::munmap(ptr::from_ref(progress).cast_mut().cast(), PAGE) };
    if status.is_none() {
        // SAFETY: our child, not yet waited for.
        unsafe { libc::kill(child, libc::SIGKILL) };
        // SAFETY: as above; the status is not asked for.
        unsafe { libc::waitpid(child, ptr::null_mut(), 0) };
    }
    match status {
        Some(0) => {}
        Some(status) => panic!("{context}: a child ended with status {status:#x}, at: {step}"),
        None => panic!("{context}: a child hangs for {AT_MOST:?}, at: {step}"),
    }
}

const PAGE: usize = 4096;

fn shared() -> &'static Progress {
    // SAFETY: asks for a new mapping; any length will do.
    let page = unsafe {
        libc::mmap(
            ptr::null_mut(),
            PAGE,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    assert_ne!(page, libc::MAP_FAILED, "no page to share");
    // SAFETY: a page of zeros, aligned, which is a valid atomic pointer; unmapped by `play` only.
    unsafe { &*page.cast::<Progress>() }
}

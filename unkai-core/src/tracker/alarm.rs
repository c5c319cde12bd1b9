//! The flag that wakes whoever watches the heap.
//!
//! Raising it is all that an allocation ever does for a watcher: one atomic store, and, the first time since the watcher
//! last looked, one system call that makes its thread runnable. That call does not wait, takes no lock of ours and
//! allocates nothing; it may be made from a signal handler, too.

use std::time::Duration;

use crate::sync::{AtomicU32, Ordering};

/// Why a watcher was woken. Several reasons may have come together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wake {
    /// Live bytes have reached what [`set_alarm`](crate::process::set_alarm) was told.
    pub alarm: bool,
    /// Somebody has called [`wake`](crate::process::wake).
    pub called: bool,
    /// A request was refused at the process's limit.
    pub refused: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Reason {
    Alarm = 1,
    Called = 2,
    Refused = 4,
}

#[derive(Debug)]
pub(crate) struct Flag {
    /// The reasons that were not looked at yet, as bits.
    reasons: AtomicU32,
}

impl Flag {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Self {
            reasons: AtomicU32::new(0),
        }
    }

    /// loom's atomics are not made in constants.
    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self {
            reasons: AtomicU32::new(0),
        }
    }

    /// Notes the reason, and wakes the watcher if it was not woken for it already. Async-signal-safe.
    pub(crate) fn raise(&self, reason: Reason) {
        let bit = reason as u32;
        // Release: pairs with the Acquire in `take`.
        if self.reasons.fetch_or(bit, Ordering::Release) & bit == 0 {
            futex::wake(&self.reasons);
        }
    }

    /// Waits until the flag is raised, `timeout` at most. Takes it down.
    pub(crate) fn wait(&self, timeout: Duration) -> Wake {
        if self.reasons.load(Ordering::Relaxed) == 0 {
            futex::wait(&self.reasons, timeout);
        }
        self.take()
    }

    fn take(&self) -> Wake {
        // Acquire: pairs with the Release in `raise`.
        let reasons = self.reasons.swap(0, Ordering::Acquire);
        let is = |reason: Reason| reasons & reason as u32 != 0;
        Wake {
            alarm: is(Reason::Alarm),
            called: is(Reason::Called),
            refused: is(Reason::Refused),
        }
    }
}

#[cfg(all(target_os = "linux", not(loom)))]
mod futex {
    use std::time::Duration;

    use crate::sync::AtomicU32;

    /// Sleeps while the word is 0, `timeout` at most. May return early.
    pub(super) fn wait(word: &AtomicU32, timeout: Duration) {
        let timeout = libc::timespec {
            // The type is named nowhere: on musl, its name is deprecated.
            tv_sec: timeout.as_secs().try_into().unwrap_or(i32::MAX.into()),
            tv_nsec: timeout.subsec_nanos() as libc::c_long,
        };
        // SAFETY: the word lives as long as the call, the time is a valid one, and the other arguments are not read for
        // this operation. Every answer is one after which the caller looks at the word itself.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                word.as_ptr(),
                libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
                0_u32,
                &raw const timeout,
            );
        }
    }

    /// Makes one sleeper runnable.
    pub(super) fn wake(word: &AtomicU32) {
        // The system call is made on behalf of an allocation: the program's `errno` must not change by it.
        // SAFETY: the C library has an `errno` for each thread.
        let errno = unsafe { libc::__errno_location() };
        // SAFETY: it is this thread's own, and lives as long as the thread.
        let before = unsafe { *errno };
        // SAFETY: only the address of the word is used.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                word.as_ptr(),
                libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
                1_i32,
            );
        }
        // SAFETY: as above.
        unsafe { *errno = before };
    }
}

/// Elsewhere the flag is looked at now and then.
#[cfg(any(loom, not(target_os = "linux")))]
mod futex {
    use std::time::Duration;

    use crate::sync::{AtomicU32, Ordering};

    pub(super) fn wait(word: &AtomicU32, timeout: Duration) {
        const STEP: Duration = Duration::from_millis(10);
        let mut left = timeout;
        while word.load(Ordering::Relaxed) == 0 && !left.is_zero() {
            std::thread::sleep(left.min(STEP));
            left = left.saturating_sub(STEP);
        }
    }

    pub(super) fn wake(_: &AtomicU32) {}
}

#[cfg(all(test, loom))]
mod models {
    use super::*;
    use loom::sync::Arc;

    /// Two threads raise the flag, for one reason and for another: each is told once, and what was done before it is seen.
    #[test]
    fn each_reason_is_told_once() {
        loom::model(|| {
            let shared = Arc::new((Flag::new(), AtomicU32::new(0)));
            let threads: Vec<_> = [Reason::Alarm, Reason::Called]
                .map(|reason| {
                    let shared = Arc::clone(&shared);
                    loom::thread::spawn(move || {
                        let (flag, done) = &*shared;
                        if let Reason::Alarm = reason {
                            done.store(1, Ordering::Relaxed);
                        }
                        flag.raise(reason);
                    })
                })
                .into();
            let (flag, done) = &*shared;
            let first = flag.take();
            if first.alarm {
                assert_eq!(done.load(Ordering::Relaxed), 1);
            }
            threads
                .into_iter()
                .for_each(|thread| thread.join().unwrap());
            let second = flag.take();
            assert!(first.alarm != second.alarm && first.called != second.called);
            assert_eq!(flag.take(), Wake::default());
        });
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_flag_raised_before_is_not_waited_for() {
        let flag = Flag::new();
        flag.raise(Reason::Called);
        flag.raise(Reason::Alarm);
        let wake = flag.wait(Duration::from_secs(600));
        assert!(wake.called && wake.alarm && !wake.refused, "{wake:?}");
        assert_eq!(flag.wait(Duration::ZERO), Wake::default());
    }

    #[test]
    fn a_sleeper_wakes_when_the_flag_is_raised() {
        static FLAG: Flag = Flag::new();
        let sleeper = std::thread::spawn(|| FLAG.wait(Duration::from_secs(600)));
        // Whether it sleeps already or not: it returns.
        std::thread::yield_now();
        FLAG.raise(Reason::Refused);
        assert!(sleeper.join().expect("it only waits").refused);
    }
}

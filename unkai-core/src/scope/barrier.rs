//! A memory barrier of two unequal halves: nothing at all for who passes often, a system call for who seldom must be sure.
//!
//! *A* writes one place and then reads another; *B* writes that other place and then reads the first. With a full barrier
//! between write and read on both sides, at least one of them sees the other's write. Such a barrier costs *A* as much
//! as an atomic exchange. Linux can have each running thread of the process execute one when *B* asks for it
//! (`membarrier`, private expedited): then *A* needs only to keep the compiler from swapping the two.
//!
//! On other platforms, and in models, both halves are full barriers. On a Linux that cannot do it, [`is_available`] says so,
//! and nobody may rely on them.

pub(super) use halves::{heavy, is_available, light};

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(any(loom, miri, unkai_portable))
))]
mod halves {
    use std::sync::atomic::compiler_fence;

    use crate::sync::{AtomicUsize, Ordering};

    /// *A*'s half, between its write and its read.
    #[inline]
    pub(in super::super) fn light() {
        compiler_fence(Ordering::SeqCst);
    }

    /// *B*'s half, between its write and its read. Some microseconds.
    #[cold]
    pub(in super::super) fn heavy() {
        // A sandbox that closed later may have taken the call away. Then what other processors have written comes to light
        // by itself, within far less than this.
        if !system::barrier() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    /// Whether the system has it. Kept once it was asked; nobody waits for who asks.
    pub(in super::super) fn is_available() -> bool {
        static AVAILABLE: AtomicUsize = AtomicUsize::new(UNKNOWN);
        match AVAILABLE.load(Ordering::Relaxed) {
            UNKNOWN => {
                let available = system::register() && system::barrier();
                let answer = if available { YES } else { NO };
                let order = Ordering::Relaxed;
                // The first answer holds for all.
                match AVAILABLE.compare_exchange(UNKNOWN, answer, order, order) {
                    Ok(_) => available,
                    Err(first) => first == YES,
                }
            }
            known => known == YES,
        }
    }

    const UNKNOWN: usize = 0;
    const NO: usize = 1;
    const YES: usize = 2;

    mod system {
        use std::ffi::{c_int, c_long};

        #[cfg(target_arch = "x86_64")]
        const MEMBARRIER: c_long = 324;
        #[cfg(target_arch = "aarch64")]
        const MEMBARRIER: c_long = 283;

        const PRIVATE_EXPEDITED: c_int = 1 << 3;
        const REGISTER_PRIVATE_EXPEDITED: c_int = 1 << 4;

        unsafe extern "C" {
            /// The C library's way to any system call.
            fn syscall(number: c_long, ...) -> c_long;
        }

        fn membarrier(command: c_int) -> bool {
            let (flags, cpu): (c_int, c_int) = (0, 0);
            // SAFETY: the C library has this function, variadic over the call's arguments, of which `membarrier` has these
            // three; it reads and writes none of the caller's memory. (It may set `errno`, which nobody here reads.)
            unsafe { syscall(MEMBARRIER, command, flags, cpu) == 0 }
        }

        pub(super) fn register() -> bool {
            membarrier(REGISTER_PRIVATE_EXPEDITED)
        }

        pub(super) fn barrier() -> bool {
            // Registered once; a process that was restored elsewhere may have to do so again.
            membarrier(PRIVATE_EXPEDITED) || (register() && membarrier(PRIVATE_EXPEDITED))
        }
    }
}

#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(any(loom, miri, unkai_portable))
)))]
mod halves {
    use crate::sync::{Ordering, fence};

    #[inline]
    pub(in super::super) fn light() {
        fence(Ordering::SeqCst);
    }

    pub(in super::super) fn heavy() {
        fence(Ordering::SeqCst);
    }

    pub(in super::super) fn is_available() -> bool {
        true
    }
}

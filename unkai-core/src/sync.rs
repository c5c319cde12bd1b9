//! The atomics of the crate, and its one kind of lock: std's, or loom's when a model is checked. The only file that names either.
//!
//! They are `type` aliases, not re-exports, so that the bans in `clippy.toml` see a use of std's atomics elsewhere.

#![expect(clippy::disallowed_types, reason = "this is the place that names them")]

#[cfg(loom)]
use loom::sync as imp;
#[cfg(not(loom))]
use std::sync as imp;

pub(crate) use std::sync::atomic::Ordering;

pub(crate) type AtomicBool = imp::atomic::AtomicBool;
pub(crate) type AtomicPtr<T> = imp::atomic::AtomicPtr<T>;
pub(crate) type AtomicU64 = imp::atomic::AtomicU64;
pub(crate) type AtomicUsize = imp::atomic::AtomicUsize;

/// For `scope/lock.rs` alone: an allocator does not wait for a lock where it can be helped.
pub(crate) type Mutex<T> = imp::Mutex<T>;
pub(crate) type MutexGuard<'l, T> = imp::MutexGuard<'l, T>;

#[cfg(feature = "profiler")]
pub(crate) use profiler::*;

#[cfg_attr(
    all(
        not(feature = "profiler"),
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64"),
        not(any(loom, miri, unkai_portable))
    ),
    expect(
        unused_imports,
        reason = "where the system has a barrier, scopes need none"
    )
)]
pub(crate) use imp::atomic::fence;

/// What only the profiler needs.
#[cfg(feature = "profiler")]
mod profiler {
    use super::imp;

    pub(crate) type AtomicI64 = imp::atomic::AtomicI64;
    pub(crate) type AtomicU8 = imp::atomic::AtomicU8;
    pub(crate) type AtomicU32 = imp::atomic::AtomicU32;
}

/// Lets another thread go on, while this one waits for it.
pub(crate) fn yield_now() {
    #[cfg(loom)]
    loom::thread::yield_now();
    #[cfg(not(loom))]
    std::thread::yield_now();
}

/// What threads reach through a pointer that one of them has published. In models, loom watches that whoever reaches it sees it
/// complete, and that it is dropped, once nobody reaches it.
#[derive(Debug)]
pub(crate) struct Shown<T> {
    value: T,
    #[cfg(loom)]
    watched: Watched,
}

impl<T> Shown<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            value,
            #[cfg(loom)]
            watched: Watched::new(),
        }
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> &T {
        #[cfg(loom)]
        self.watched.place.with(|_| ());
        &self.value
    }
}

/// A place that is written when it is made and when it is dropped.
#[cfg(loom)]
#[derive(Debug)]
struct Watched {
    place: loom::cell::UnsafeCell<()>,
    _dropped: loom::alloc::Track<()>,
}

#[cfg(loom)]
impl Watched {
    fn new() -> Self {
        let place = loom::cell::UnsafeCell::new(());
        place.with_mut(|_| ());
        Self {
            place,
            _dropped: loom::alloc::Track::new(()),
        }
    }
}

#[cfg(loom)]
impl Drop for Watched {
    fn drop(&mut self) {
        self.place.with_mut(|_| ());
    }
}

//! The atomics of the crate: std's, or loom's when a model is checked. The only file that names either.
//!
//! They are `type` aliases, not re-exports, so that the bans in `clippy.toml` see a use of std's atomics elsewhere.

#![expect(clippy::disallowed_types, reason = "this is the place that names them")]

#[cfg(loom)]
use loom::sync::atomic as imp;
#[cfg(not(loom))]
use std::sync::atomic as imp;

pub(crate) use std::sync::atomic::Ordering;

pub(crate) type AtomicUsize = imp::AtomicUsize;

#[cfg(feature = "profiler")]
pub(crate) use profiler::*;

/// What only the profiler needs.
#[cfg(feature = "profiler")]
mod profiler {
    use super::imp;

    #[cfg(not(loom))]
    pub(crate) type AtomicBool = imp::AtomicBool;
    #[cfg(not(loom))]
    pub(crate) type AtomicPtr<T> = imp::AtomicPtr<T>;
    pub(crate) type AtomicI64 = imp::AtomicI64;
    pub(crate) type AtomicU8 = imp::AtomicU8;
    pub(crate) type AtomicU32 = imp::AtomicU32;
    pub(crate) type AtomicU64 = imp::AtomicU64;

    pub(crate) use imp::fence;
}

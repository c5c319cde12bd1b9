#![cfg_attr(feature = "nightly", feature(allocator_api))]
//! How many bytes does this collection hold? [`Unkai<A>`] wraps any allocator and counts what is taken from it.
//!
//! ```
//! # #![cfg_attr(feature = "nightly", feature(allocator_api))]
//! use unkai_allocator::api::Vec;
//! use unkai_allocator::{Unkai, UnkaiGlobal};
//!
//! let numbers = Vec::<usize, UnkaiGlobal>::with_capacity_in(10_000, Unkai::default());
//!
//! let usage = numbers.allocator().usage();
//! assert_eq!(usage.bytes, 10_000 * size_of::<usize>());
//! assert_eq!(usage.blocks, 1);
//! println!("{}: {} bytes", numbers.allocator().report_caller(), usage.bytes);
//! ```
//!
//! Give each collection a handle of its own to see it alone; give several collections clones of one handle to see their
//! sum. The counts are exact over all threads: nothing is sampled, and no block carries a header.
//!
//! # Which trait
//! On stable Rust, `Unkai<A>` implements `Allocator` of the crate [`allocator-api2`] 0.2, the trait that hashbrown and
//! bumpalo know as well. With the feature `nightly` it implements std's unstable trait *instead*, for std's own `Vec`,
//! `Box`, `VecDeque` and `BTreeMap`. Both builds have the same names. The module [`api`] holds the trait and its
//! companions of whichever build it is, for code that must compile in both. As cargo unites the features of everything
//! in a build, a library had better leave `nightly` to the program that uses it.
//!
//! # What it costs
//! * A handle: one allocation of some 64 bytes, from the global allocator, when it is created. A clone takes none. In a
//!   collection a handle is one pointer wide, beside the inner allocator.
//! * An allocation or a free: three atomic additions each, on one cache line, before or after the inner allocator's own
//!   work; a change of size: two. That was 15 ns for a pair of both over an allocator that does nothing, and 4 ns over
//!   glibc's, whose own work overlaps with it. No lock, and no allocation.
//! * Threads that share a handle share that line, and can make a pair some 150 ns when they do nothing but allocate: give
//!   busy threads handles of their own.
//!
//! # What it does not do
//! It counts, and refuses nothing: limits are to come. It counts what was *requested*; what the inner allocator rounds
//! up to is not known to it. It says how much, not from where: that is the heap profiler's work, in `unkai-global`, of
//! which this crate uses nothing.
//!
//! [`allocator-api2`]: https://docs.rs/allocator-api2/0.2

pub mod api;
mod unkai;

pub use crate::unkai::{Unkai, UnkaiGlobal};
pub use unkai_core::{
    Bounds, BuildError, Consumer, HighEvent, Leak, MAX_DEPTH, Omitted, OnExhausted, ReclaimRequest,
    ReclaimTried, Reclaimer, Refusal, RefusalCause, Refused, Registration, Reservation, Reserve,
    Scope, ScopeBuilder, ScopeSnapshot, TreeSnapshot, Usage, forget_last_refusal, last_refusal,
};

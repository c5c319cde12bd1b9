//! The tests of the crate that may share a process.
#![cfg_attr(feature = "nightly", feature(allocator_api, btreemap_alloc))]

#[cfg(not(feature = "nightly"))]
mod collections;
mod forwarding;
mod model;
mod sharing;
#[cfg(feature = "nightly")]
mod std_collections;
mod support;

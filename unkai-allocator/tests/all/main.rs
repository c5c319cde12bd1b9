//! The tests of the crate that may share a process.
#![cfg_attr(feature = "nightly", feature(allocator_api, btreemap_alloc))]

mod aborts;
#[cfg(not(feature = "nightly"))]
mod arenas;
mod collections;
mod forwarding;
#[cfg(not(feature = "nightly"))]
mod hash_maps;
mod limits;
mod model;
mod sharing;
#[cfg(feature = "nightly")]
mod std_collections;
mod support;

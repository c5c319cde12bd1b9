//! Whole-process tests of what a tree of scopes promises: one file for each claim.
//!
//! They take turns (see `turn`), so that none has to share the processors with another while it measures time or memory.
//! Each prints its seed, and ends by itself after a few seconds, however slow the machine.
#![cfg_attr(feature = "nightly", feature(allocator_api))]

mod cap;
mod counting;
mod hammer;
mod history;
mod idle_siblings;
mod no_byte_beyond_a_limit;
mod peaks;
mod reclaimers;
mod refusals_are_right;
mod storms_end_at_zero;
mod tree;
mod turn;
mod waiting;

#[path = "../all/support.rs"]
#[allow(dead_code, reason = "only its random numbers are used here")]
mod support;

//! What real programs do to an allocator: each scenario in a process of its own, over each of three allocators, sampling
//! sparsely and densely. `tests/scenarios.rs` runs them all; `scenarios-system --list` names them.
//!
//! ```text
//!   scenario ─▶ Outer (counts every request) ─▶ UnkaiGlobalAlloc ─▶ Beneath (a flag) ─▶ mimalloc, jemalloc or the system's allocator
//! ```

mod again;
mod bare_thread;
pub mod beneath;
mod child;
mod describe;
pub mod heap;
mod list;
mod load;
mod raised;
pub mod run;
pub mod scenario;
mod under;

mod ends;
#[cfg(not(target_feature = "crt-static"))]
mod libraries;
mod limits;
mod panics;
mod processes;
mod profilers;
mod signals;
mod stacks;
mod threads;

// The independent count of the whole-program tests.
#[path = "../../../tests/support/outer.rs"]
pub mod outer;

// The repeatable random numbers of the whole-program tests.
#[path = "../../../tests/support/random.rs"]
#[expect(unreachable_pub, reason = "the same file is a part of test programs")]
mod random;

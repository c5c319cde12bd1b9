//! What whole-program tests share: allocators that watch unkai from outside and from inside, and random numbers.
//!
//! ```text
//!   program ─▶ Outer (counts every request, notices nesting) ─▶ UnkaiGlobalAlloc ─▶ Checking (knows every block) ─▶ mimalloc, jemalloc, System
//! ```

#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

pub mod checking;
pub mod outer;
pub mod random;
pub mod refusals;

/// Runs `check` until it holds, for ten seconds at most: for what other threads bring about by ending.
pub fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !check() {
        assert!(
            start.elapsed().as_secs() < 10,
            "{what}: not within ten seconds"
        );
        std::thread::yield_now();
    }
}

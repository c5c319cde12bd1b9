//! What each way of unwinding costs, and what a whole sample costs with it, with warm caches and with cold ones.
//!
//! ```text
//! ci/unwinders.sh                    # both builds: with unwind tables alone, and with frame pointers
//! ```
//!
//! It reaches into `unkai-core` by `--cfg unkai_internals`, and fails if the ways do not find the same frames.

#[cfg(unkai_internals)]
#[path = "unwinders/measure.rs"]
mod measure;
#[cfg(unkai_internals)]
#[path = "unwinders/table.rs"]
mod table;
#[cfg(unkai_internals)]
#[path = "unwinders/wash.rs"]
mod wash;

#[cfg(unkai_internals)]
#[path = "workloads/sampling.rs"]
#[allow(dead_code, reason = "no bench uses all of it")]
mod sampling;
#[cfg(unkai_internals)]
#[allow(dead_code, reason = "no bench uses all of it")]
mod workloads;

#[cfg(unkai_internals)]
fn main() -> std::process::ExitCode {
    table::run()
}

#[cfg(not(unkai_internals))]
fn main() {
    println!("This bench needs `--cfg unkai_internals` in RUSTFLAGS: run ci/unwinders.sh");
}

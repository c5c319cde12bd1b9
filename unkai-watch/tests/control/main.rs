//! Programs under control from outside, as whole processes: this binary starts itself with variables set, in one of the
//! roles of `program`, and the tests look at what it leaves behind.
//!
//! Without a harness, so that the `main` of a role is the `main` of a process, and what happens after it is its own.

#[cfg(target_os = "linux")]
mod program;
#[cfg(target_os = "linux")]
mod run;
#[cfg(target_os = "linux")]
mod tests;

#[cfg(target_os = "linux")]
use {std::alloc::System, unkai_global::UnkaiGlobalAlloc};

#[cfg(target_os = "linux")]
#[global_allocator]
static UNKAI: UnkaiGlobalAlloc<System> = UnkaiGlobalAlloc::with_config(
    System,
    // Dense enough that every leak of the program is sampled.
    unkai_core::Config::new().sampling_interval(64 << 10),
);

#[cfg(target_os = "linux")]
fn main() {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some(program::ARGUMENT), Some(role)) => program::run(&role),
        (filter, _) => run::all(filter.filter(|filter| !filter.starts_with('-'))),
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {}

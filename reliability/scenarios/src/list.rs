//! All scenarios.

use crate::scenario::Scenario;
// A static program loads no libraries.
#[cfg(not(target_feature = "crt-static"))]
use crate::libraries;
use crate::{ends, limits, panics, processes, profilers, signals, stacks, threads};

/// In the order in which they are listed.
pub(crate) const ALL: &[Scenario] = &[
    Scenario::new("first_is_a_free", threads::first_is_a_free::play),
    // Linked statically, functions that the standard library refers to weakly are not there: destructors of the C++ kind, timers.
    #[cfg(not(target_feature = "crt-static"))]
    Scenario::new("allocation_in_destructors", threads::in_destructors::play),
    Scenario::new("thread_storm", threads::storm::play),
    #[cfg(not(any(panic = "abort", target_feature = "crt-static")))]
    Scenario::new("threads_ended_early", threads::ended_early::play),
    Scenario::new("fork_under_load", processes::fork_under_load::play),
    Scenario::new("fork_while_charging", processes::fork_while_charging::play),
    Scenario::new(
        "fork_while_reporting",
        processes::fork_while_reporting::play,
    ),
    Scenario::new("forks_in_forks", processes::forks_in_forks::play),
    Scenario::new("a_child_that_ends", processes::a_child_that_ends::play),
    Scenario::new("programs_are_started", processes::spawn::play),
    #[cfg(not(target_feature = "crt-static"))]
    Scenario::new("timer_signals", signals::timers::play),
    Scenario::new("signal_storm", signals::storm::play),
    // Nor does a static program run the destructors of its first thread.
    #[cfg(not(target_feature = "crt-static"))]
    Scenario::new("at_exit", ends::at_exit::play).ends_by(ends::SIGNAL),
    Scenario::new("exit_from_a_thread", ends::from_a_thread::play).ends_by(ends::SIGNAL),
    #[cfg(not(panic = "abort"))]
    Scenario::new("deep_panics", panics::deep::play),
    #[cfg(not(panic = "abort"))]
    Scenario::new("caught_panics", panics::caught::play),
    Scenario::new("panic_hook_reports", panics::hook::play).ends_by(libc::SIGABRT),
    Scenario::new("panic_while_panicking", panics::twice::play).ends_by(libc::SIGABRT),
    #[cfg(not(target_feature = "crt-static"))]
    Scenario::new(
        "libraries_allocate_through_the_program",
        libraries::allocate_through_the_program::play,
    ),
    #[cfg(not(target_feature = "crt-static"))]
    Scenario::new(
        "libraries_have_their_own_unkai",
        libraries::have_their_own_unkai::play,
    ),
    #[cfg(not(target_feature = "crt-static"))]
    Scenario::new(
        "libraries_are_unloaded_beside_snapshots",
        libraries::are_unloaded_beside_snapshots::play,
    ),
    Scenario::new("stack_overflows", stacks::overflow::play_in_many_ways),
    Scenario::new("stack_overflow", stacks::overflow::play).ends_by(libc::SIGABRT),
    Scenario::new(
        "stack_overflow_of_the_main_thread",
        stacks::overflow::play_on_the_main_thread,
    )
    .ends_by(libc::SIGABRT),
    Scenario::new("stacks_are_small", stacks::small::play),
    Scenario::new("stacks_are_deep", stacks::deep::play),
    Scenario::new("stacks_of_coroutines", stacks::coroutines::play),
    Scenario::new("stacks_of_contexts", stacks::contexts::play),
    Scenario::new("wild_frame_pointers", stacks::wild_frame_pointers::play),
    Scenario::new("stacks_that_lead_nowhere", stacks::lead_nowhere::play),
    Scenario::new("profiler_of_the_cpu", profilers::of_the_cpu::play),
    Scenario::new("address_space_runs_out", limits::exhaustion::play),
    // A static program takes so much itself that it is not even loaded where tables would not fit.
    #[cfg(not(target_feature = "crt-static"))]
    Scenario::new(
        "address_space_is_too_small_for_tables",
        limits::nothing_from_the_beginning::play,
    ),
    Scenario::new(
        "little_address_space",
        limits::nothing_from_the_beginning::play_with_little,
    ),
];

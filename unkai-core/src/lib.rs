//! The core of unkai: exact counters, sampling, the table of call stacks, live samples, accounting scopes, snapshots.
//!
//! Users of unkai want the crates on top of this one: `unkai`, or `unkai-global`, `unkai-allocator`, `unkai-report`.
//!
//! ```text
//! your program                                              │ off the hot path, plain data
//!   │ alloc · dealloc · realloc                             │
//!   ▼                                                       │
//! unkai-global ────┐    ┌────────── unkai-core ──────────┐  │              unkai-report
//! unkai-allocator ─┴──▶ │ probe  ──▶ tracker ──▶  store  │──┼─▶ Snapshot ──▶ Report ──▶ html · text · json · pprof …
//!   adapt a trait       │ look       decide      remember│  │   numbers      names
//!                       └────────────────────────────────┘  │
//! ```
//!
//! Façades adapt, probe looks, tracker decides, store remembers, snapshot copies; report names and prints.
//!
//! | module | is | may use |
//! |---|---|---|
//! | [`process`] | the process's own profile, for a global allocator | `tracker`, `probe` |
//! | `tracker` | what happens when | `probe`, `store`, `snapshot` |
//! | `probe` | the thread, the clock, the stack, the choice of samples | `entered`, `sync` |
//! | `store` | counters and tables | `entered`, `sync` |
//! | `resident` | the process's memory as the system sees it | nothing |
//! | `scope` | a tree of accounts with limits, for the `Allocator` façade | `sync` |
//! | `aside` | work that is not the program's | `probe` |
//! | `config`, `losses`, `snapshot`, `widened` | plain values | nothing |
//!
//! # Features
//! * `profiler`: everything but scopes and plain values. Off by default, so that `unkai-allocator` alone stays small.
//! * `async`: [`Scope::reserve`] can be awaited, by any runtime.

mod aside;
mod config;
mod losses;
mod scope;
mod snapshot;
mod sync;
mod widened;

#[cfg(feature = "profiler")]
mod entered;
#[cfg(all(feature = "profiler", not(loom)))]
pub mod environment;
#[cfg(all(test, feature = "profiler", target_os = "linux", not(any(loom, miri))))]
mod forked;
#[cfg(all(feature = "profiler", not(loom)))]
mod heap;
#[cfg(all(unkai_internals, feature = "profiler", not(loom)))]
#[doc(hidden)]
pub mod internals;
#[cfg(feature = "profiler")]
mod probe;
#[cfg(all(feature = "profiler", not(loom)))]
pub mod process;
#[cfg(all(feature = "profiler", not(loom)))]
mod resident;
#[cfg(all(test, feature = "profiler"))]
mod seed;
#[cfg(feature = "profiler")]
mod store;
#[cfg(all(feature = "profiler", not(loom)))]
mod tracker;
#[cfg(all(feature = "profiler", loom))]
#[path = "tracker/modelled.rs"]
mod tracker;

pub use aside::aside;
pub use config::{Config, MAX_FRAMES, MAX_INTERVAL};
#[cfg(all(feature = "profiler", not(loom)))]
pub use heap::Heap;
pub use losses::{CAUSES, Cause, Losses};
pub use scope::{
    Bounds, BuildError, Charge, Consumer, HighEvent, Leak, MAX_DEPTH, Omitted, OnExhausted,
    ReclaimRequest, ReclaimTried, Reclaimer, Refusal, RefusalCause, Refused, Registration,
    Reservation, Reserve, Scope, ScopeBuilder, ScopeSnapshot, TreeSnapshot, Usage,
    forget_last_refusal, last_refusal,
};
pub use snapshot::{
    Amount, DURATION_BUCKETS, DurationHistogram, Estimate, LimitStatus, OwnMemory, Sampling,
    SamplingStatus, Site, Snapshot, TableUse, Totals, UnwinderKind, UnwindingStatus,
};
#[cfg(all(feature = "profiler", not(loom)))]
pub use store::cells::Cells;
pub use widened::{CrowdedTable, Widened};

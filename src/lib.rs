#![doc = include_str!("../README.md")]

#[cfg(feature = "global")]
pub use unkai_core::{
    Amount, Cause, Config, CrowdedTable, DurationHistogram, Estimate, Losses, MAX_FRAMES,
    MAX_INTERVAL, OwnMemory, Sampling, SamplingStatus, Site, Snapshot, TableUse, Totals,
    UnwinderKind, UnwindingStatus, Widened,
};

#[cfg(feature = "global")]
pub use unkai_global::UnkaiGlobalAlloc;

#[cfg(feature = "allocator")]
pub use unkai_allocator::{Unkai, UnkaiGlobal, Usage};

#[cfg(feature = "report")]
pub use unkai_report as report;

// The README's programs are for stable: they hand `Unkai` to hashbrown, which takes allocator-api2's trait. With `nightly`
// it implements std's, for std's collections; hashbrown can be switched as well, but not by a feature of ours. And one of
// them shows `watch` and `http`.
#![cfg_attr(
    not(all(
        doctest,
        any(feature = "nightly", not(feature = "watch"), not(feature = "http"))
    )),
    doc = include_str!("../README.md")
)]
#![forbid(unsafe_code)]

#[cfg(feature = "global")]
pub use unkai_core::{
    Amount, Cause, Config, CrowdedTable, DurationHistogram, Estimate, LimitStatus, Losses,
    MAX_FRAMES, MAX_INTERVAL, OwnMemory, Sampling, SamplingStatus, Site, Snapshot, TableUse,
    Totals, UnwinderKind, UnwindingStatus, Widened, aside,
};

#[cfg(feature = "global")]
pub use unkai_global::UnkaiGlobalAlloc;

#[cfg(feature = "allocator")]
pub use unkai_allocator::api;

#[cfg(feature = "allocator")]
pub use unkai_allocator::{
    Bounds, BuildError, Consumer, HighEvent, Leak, MAX_DEPTH, Omitted, OnExhausted, ReclaimRequest,
    ReclaimTried, Reclaimer, Refusal, RefusalCause, Refused, Registration, Reservation, Reserve,
    Scope, ScopeBuilder, ScopeSnapshot, TreeSnapshot, Unkai, UnkaiGlobal, Usage,
    forget_last_refusal, last_refusal,
};

#[cfg(feature = "report")]
pub use unkai_report as report;

#[cfg(feature = "watch")]
pub use unkai_watch as watch;

#[cfg(feature = "http")]
pub use unkai_http as http;

/// The programs in the documentation of limits, which run as tests.
#[cfg(all(doctest, feature = "allocator", not(feature = "nightly")))]
#[doc = include_str!("../docs/limits.md")]
mod limits {}

/// The programs in the documentation for operators, which run as tests.
#[cfg(all(
    doctest,
    feature = "global",
    feature = "watch",
    feature = "http",
    feature = "log"
))]
#[doc = include_str!("../docs/production.md")]
mod production {}

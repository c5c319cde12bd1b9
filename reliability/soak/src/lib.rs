//! Everything at once, for a long time: load of different characters on many threads, sampling now sparse and now dense,
//! reports in all formats, an HTTP endpoint that is scraped, rules that fire, scopes that come and go. `soak --help` says
//! what it proves.
//!
//! ```text
//!   threads of load ──▶ Counted (an independent count) ──▶ UnkaiGlobalAlloc ──▶ mimalloc
//!   probe           ──────────────────────────────────────────┴──────────────────┘   each in turn, by the clock
//!
//!   a round of ten seconds:   all at work ──▶ all at rest ──▶ totals, rules, memory are looked at ──▶ again
//! ```

pub mod bare;
mod clock;
mod control;
mod count;
mod gate;
mod judge;
mod latency;
mod load;
mod machine;
mod options;
mod outcome;
mod plant;
mod random;
mod reporter;
mod rest;
mod rules;
mod scraper;
pub mod soak;
mod trend;

pub use count::Counted;

/// The heap under test, and the count around it.
pub type Heap = Counted<unkai::UnkaiGlobalAlloc<mimalloc::MiMalloc>>;

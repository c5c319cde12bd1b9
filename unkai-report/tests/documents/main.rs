//! Whole documents in every format.

#[cfg(feature = "json")]
mod dhat;
#[cfg(feature = "flamegraph")]
mod flamegraph;
mod folded;
mod golden;
#[cfg(all(
    feature = "json",
    feature = "pprof",
    feature = "flamegraph",
    feature = "prometheus"
))]
mod hostile;
#[cfg(feature = "json")]
mod html;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "prometheus")]
#[path = "../support/openmetrics.rs"]
mod openmetrics;
#[cfg(feature = "pprof")]
mod pprof;
#[cfg(feature = "prometheus")]
mod prometheus;
#[path = "../support/samples.rs"]
mod samples;
mod scopes;
#[cfg(feature = "json")]
mod speedscope;
mod text;
#[cfg(all(
    feature = "json",
    feature = "pprof",
    feature = "flamegraph",
    feature = "prometheus"
))]
mod totals;

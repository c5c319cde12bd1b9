//! Whole documents in every format.

mod golden;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "pprof")]
mod pprof;
#[path = "../support/samples.rs"]
mod samples;
mod scopes;
mod text;

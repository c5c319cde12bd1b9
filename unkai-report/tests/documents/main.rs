//! Whole documents in every format.

mod golden;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "prometheus")]
#[path = "../support/openmetrics.rs"]
mod openmetrics;
#[cfg(feature = "prometheus")]
mod prometheus;
#[path = "../support/samples.rs"]
mod samples;
mod scopes;
mod text;

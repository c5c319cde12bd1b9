//! Whole documents in every format.

mod golden;
#[cfg(feature = "json")]
mod json;
#[path = "../support/samples.rs"]
mod samples;
mod scopes;
mod text;

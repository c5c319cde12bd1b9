//! Whole documents in every format.

mod golden;
#[cfg(feature = "json")]
mod json;
mod samples;
mod scopes;
mod text;

//! The real program, run with real files: what it prints, what it writes, and how it fails.

mod commands;
mod failures;
mod files;
mod help;
mod large;
#[path = "../../../unkai-report/tests/support/samples.rs"]
#[expect(dead_code, reason = "not every report of the samples is used here")]
mod samples;
mod streams;
#[cfg(target_os = "linux")]
mod terminal;
mod tool;

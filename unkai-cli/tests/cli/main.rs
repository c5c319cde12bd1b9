//! The real program, run with real files: what it prints, what it writes, and how it fails.

mod commands;
mod failures;
mod files;
mod help;
mod hostile;
mod large;
#[cfg(target_os = "linux")]
mod name;
#[path = "../../../unkai-report/tests/support/samples.rs"]
mod samples;
mod streams;
#[cfg(target_os = "linux")]
mod terminal;
mod tool;

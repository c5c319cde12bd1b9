//! Watches the memory of a program, and acts by rules that its user states.

mod dump;
mod file_name;
mod format;
mod reports;
mod stamp;

pub use dump::{Dump, DumpError};
pub use format::{Format, UnknownFormat};
pub use reports::{ReportError, Reports};

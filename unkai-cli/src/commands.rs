//! The subcommands: each has its arguments, and a function `run`.

pub(crate) mod convert;
pub(crate) mod diff;
pub(crate) mod info;
pub(crate) mod leaks;
pub(crate) mod name;
pub(crate) mod report;
pub(crate) mod scopes;
pub(crate) mod top;

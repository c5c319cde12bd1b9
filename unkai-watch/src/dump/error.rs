//! Why a dump was not written.

use std::error::Error;
use std::fmt;

/// Why a dump was not written.
#[derive(Debug)]
#[non_exhaustive]
pub enum DumpError {
    /// Only Linux can.
    Unsupported,
}

impl fmt::Display for DumpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported => write!(f, "dumps before out of memory are made on Linux only"),
        }
    }
}

impl Error for DumpError {}

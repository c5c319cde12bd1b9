//! Why a report was not written.

use std::error::Error;
use std::path::PathBuf;
use std::{fmt, io};

/// Why a report was not written.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReportError {
    /// The file could not be written.
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl fmt::Display for ReportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write { path, source } => {
                write!(f, "{} could not be written: {source}", path.display())
            }
        }
    }
}

impl Error for ReportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Write { source, .. } => Some(source),
        }
    }
}

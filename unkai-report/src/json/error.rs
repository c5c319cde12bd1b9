//! Why a document could not be read.

use std::error::Error;
use std::{fmt, io};

/// Why [`read`](super::read) gave no report.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// The input could not be read.
    Io(io::Error),
    /// The document is damaged: cut off, not JSON, or with a value that makes no sense.
    Malformed {
        /// Where: `line 3 column 7`, or the path of the value, `sites[4].stack[0]`.
        position: String,
        /// What is wrong there.
        reason: String,
    },
    /// The document is JSON, but not a heap profile by unkai.
    NotAProfile,
    /// A later version of unkai wrote the document.
    NewerVersion {
        /// Version of the document.
        found: u64,
        /// Latest version that this crate reads.
        supported: u64,
    },
}

impl ReadError {
    pub(super) fn malformed(position: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Malformed {
            position: position.into(),
            reason: reason.into(),
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(_) => write!(f, "the profile could not be read"),
            Self::Malformed { position, reason } => {
                write!(f, "the profile is damaged at {position}: {reason}")
            }
            Self::NotAProfile => write!(f, "this JSON document is not an unkai heap profile"),
            Self::NewerVersion { found, supported } => write!(
                f,
                "the profile has version {found}, but this unkai reads versions up to {supported}"
            ),
        }
    }
}

impl Error for ReadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<serde_json::Error> for ReadError {
    fn from(error: serde_json::Error) -> Self {
        let position = format!("line {} column {}", error.line(), error.column());
        let text = error.to_string();
        // serde_json puts the position behind the reason as well.
        let reason = text
            .rsplit_once(" at line ")
            .map_or(text.as_str(), |(reason, _)| reason);
        Self::malformed(position, reason)
    }
}

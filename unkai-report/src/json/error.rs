//! Why a document could not be read.

use std::error::Error;
use std::{fmt, io};

use crate::names::printable;

/// Why a document could not be read: by [`read`](super::read), or by [`scopes::json::read`](crate::scopes::json::read).
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
    /// The document is JSON, but not what was to be read.
    OtherDocument {
        /// What that was: `heap profile` or `scope tree`.
        expected: &'static str,
        /// What it is instead, in the same words, if it is another document of unkai.
        found: Option<&'static str>,
    },
    /// A later version of unkai wrote the document.
    NewerVersion {
        /// Version of the document.
        found: u64,
        /// Latest version that this crate reads.
        supported: u64,
    },
}

impl ReadError {
    /// Either may quote the document, so neither acts.
    pub(super) fn malformed(position: impl AsRef<str>, reason: impl AsRef<str>) -> Self {
        let in_words = |text: &str| printable(text).into_owned();
        Self::Malformed {
            position: in_words(position.as_ref()),
            reason: in_words(reason.as_ref()),
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(_) => write!(f, "the document could not be read"),
            Self::Malformed { position, reason } => {
                write!(f, "the document is damaged at {position}: {reason}")
            }
            Self::OtherDocument { expected, found } => {
                write!(f, "this JSON document is not an unkai {expected}")?;
                match found {
                    Some(found) => write!(f, ", but a {found}"),
                    None => Ok(()),
                }
            }
            Self::NewerVersion { found, supported } => write!(
                f,
                "the document has version {found}, but this unkai reads versions up to {supported}"
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

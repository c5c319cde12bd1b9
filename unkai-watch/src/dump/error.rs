//! Why there is no dump.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::{fmt, io};

/// Why a dump was not written. Making one of these allocates nothing; its text does.
#[derive(Debug)]
#[non_exhaustive]
pub enum DumpError {
    /// On this system there is no dump: only on Linux.
    Unsupported,
    /// The directory could not be opened.
    Directory {
        /// The directory.
        dir: Arc<Path>,
        /// What the system said.
        source: io::Error,
    },
    /// No file could be created in the directory.
    Create {
        /// The directory.
        dir: Arc<Path>,
        /// What the system said.
        source: io::Error,
    },
    /// The disk is full, or a quota or the limit of this process for the size of a file is reached, or the file could not be
    /// written for another reason. What was written was removed.
    Write {
        /// The directory.
        dir: Arc<Path>,
        /// What the system said.
        source: io::Error,
    },
    /// The dump was whole, but could not be given its name. It was removed.
    Rename {
        /// The directory.
        dir: Arc<Path>,
        /// What the system said.
        source: io::Error,
    },
    /// The dump was written, but older ones could not be removed.
    NotPruned {
        /// The directory.
        dir: Arc<Path>,
        /// What the system said.
        source: io::Error,
    },
}

impl fmt::Display for DumpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported => write!(f, "dumps before out of memory are made on Linux only"),
            Self::Directory { dir, source } => write!(
                f,
                "the directory for dumps, {}, could not be opened ({source}): create it",
                dir.display()
            ),
            Self::Create { dir, source } => write!(
                f,
                "no dump could be created in {} ({source}): this process must be able to write there",
                dir.display()
            ),
            Self::Write { dir, source } => write!(
                f,
                "a dump in {} could not be written to its end ({source}), and was removed: it may take tens of MB",
                dir.display()
            ),
            Self::Rename { dir, source } => write!(
                f,
                "a dump in {} could not be given its name ({source}), and was removed",
                dir.display()
            ),
            Self::NotPruned { dir, source } => write!(
                f,
                "a dump was written to {}, but older ones there could not be removed ({source}): remove them",
                dir.display()
            ),
        }
    }
}

impl Error for DumpError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unsupported => None,
            Self::Directory { source, .. }
            | Self::Create { source, .. }
            | Self::Write { source, .. }
            | Self::Rename { source, .. }
            | Self::NotPruned { source, .. } => Some(source),
        }
    }
}

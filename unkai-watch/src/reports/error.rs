//! Why a report was not written.

use std::error::Error;
use std::path::PathBuf;
use std::{fmt, io};

/// Why a report was not written.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReportError {
    /// The directory could not be opened or listed: it is not there, no directory, or may not be read.
    Directory {
        /// The directory.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another thread or process has been writing to the directory for longer than 10 s.
    Busy {
        /// The directory.
        dir: PathBuf,
    },
    /// No file could be created.
    Create {
        /// The report.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The disk is full, or a quota or the limit of this process for the size of a file is reached.
    Full {
        /// The report.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file could not be written for another reason than a full disk.
    Write {
        /// The report.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The report alone has more bytes than all reports together may have. No other report was removed.
    OverBudget {
        /// The report.
        path: PathBuf,
        /// Bytes of the report.
        bytes: u64,
        /// Bytes that all reports may have.
        max_bytes: u64,
    },
    /// An old report could not be removed, and without that there is no room for a new one.
    NoRoom {
        /// The old report.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The report was whole, but could not be given its name.
    Rename {
        /// The report.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The report was written, but an old one could not be removed: there are more than wanted.
    NotPruned {
        /// The report.
        path: PathBuf,
        /// The old one.
        old: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl fmt::Display for ReportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory { dir, source } => write!(
                f,
                "the directory for reports, {}, could not be opened ({source}): create it, readable and writable for this \
                 process",
                dir.display()
            ),
            Self::Busy { dir } => write!(
                f,
                "another report has been written to {} for more than 10 s, so this one was left out",
                dir.display()
            ),
            Self::Create { path, source } => write!(
                f,
                "the report {} could not be created ({source}): this process must be able to write to the directory",
                path.display()
            ),
            Self::Full { path, source } => write!(
                f,
                "there was no space for the report {} ({source}), and what was written of it was removed: make space on the disk",
                path.display()
            ),
            Self::Write { path, source } => write!(
                f,
                "the report {} could not be written ({source}), and what was written of it was removed",
                path.display()
            ),
            Self::OverBudget {
                path,
                bytes,
                max_bytes,
            } => write!(
                f,
                "the report {} would take {bytes} bytes, and all reports in the directory may take {max_bytes}: raise max_bytes, or \
                 choose a smaller format",
                path.display()
            ),
            Self::NoRoom { path, source } => write!(
                f,
                "an old report, {}, could not be removed to make room for a new one ({source}): remove it",
                path.display()
            ),
            Self::Rename { path, source } => write!(
                f,
                "a report was written, but could not be called {} ({source}), and was removed",
                path.display()
            ),
            Self::NotPruned { path, old, source } => write!(
                f,
                "the report {} was written, but an old one, {}, could not be removed ({source}): remove it",
                path.display(),
                old.display()
            ),
        }
    }
}

impl Error for ReportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Busy { .. } | Self::OverBudget { .. } => None,
            Self::Directory { source, .. }
            | Self::Create { source, .. }
            | Self::Full { source, .. }
            | Self::Write { source, .. }
            | Self::NoRoom { source, .. }
            | Self::Rename { source, .. }
            | Self::NotPruned { source, .. } => Some(source),
        }
    }
}

//! A directory of reports, which never fills the disk.

mod error;

use std::path::{Path, PathBuf};

use unkai_report::Report;

pub use error::ReportError;

use crate::format::Format;

/// A directory that keeps the newest reports, within a number of files and of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reports {
    dir: PathBuf,
    format: Format,
    keep: usize,
    max_bytes: u64,
}

impl Reports {
    /// Reports in the directory `path`, which must exist: as HTML, the newest 10, 256 MiB at most.
    pub fn in_dir(path: impl Into<PathBuf>) -> Self {
        Self {
            dir: path.into(),
            format: Format::Html,
            keep: 10,
            max_bytes: 256 << 20,
        }
    }

    /// The format that reports are written in.
    #[must_use]
    pub const fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// How many reports are kept in the directory, one at least.
    #[must_use]
    pub const fn keep(mut self, files: usize) -> Self {
        self.keep = if files == 0 { 1 } else { files };
        self
    }

    /// How many bytes all reports in the directory take at most, one that is just being written included.
    #[must_use]
    pub const fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Writes `report`, and says into which file.
    ///
    /// # Errors
    /// [`ReportError`] says what could not be done with which file.
    pub fn write(&self, name: &str, report: &Report) -> Result<PathBuf, ReportError> {
        let path = self.dir.join(format!("{name}.{}", self.format.extension()));
        let write = |source| ReportError::Write {
            path: path.clone(),
            source,
        };
        let file = std::fs::File::create(&path).map_err(write)?;
        self.format.write(report, file).map_err(write)?;
        Ok(path)
    }
}

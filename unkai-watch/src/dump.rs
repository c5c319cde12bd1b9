//! A profile for when memory is nearly gone.

mod error;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use error::DumpError;

/// Writes the profile of this process when there is no memory left to do it with.
#[derive(Debug)]
pub struct Dump {
    dir: Arc<Path>,
    keep: usize,
}

impl Dump {
    /// Reserves all that a dump into the directory `dir` takes; the directory must exist.
    ///
    /// # Errors
    /// [`DumpError`] says what could not be reserved.
    pub fn to(dir: impl AsRef<Path>) -> Result<Self, DumpError> {
        Ok(Self {
            dir: Arc::from(dir.as_ref()),
            keep: 3,
        })
    }

    /// How many dumps are kept in the directory, one at least; 3 if not set.
    #[must_use]
    pub const fn keep(mut self, files: usize) -> Self {
        self.keep = if files == 0 { 1 } else { files };
        self
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes ready what may have changed: to be called now and then on the thread that will call [`write`](Self::write).
    pub fn refresh(&mut self) {}

    /// Writes a dump; `name` becomes part of the file's name. Allocates nothing.
    ///
    /// # Errors
    /// [`DumpError`] says what failed.
    pub fn write(&mut self, name: &str) -> Result<(), DumpError> {
        let _ = (name, self.keep);
        Err(DumpError::Unsupported)
    }

    /// The file of the last dump that was written.
    pub fn last(&self) -> Option<PathBuf> {
        None
    }
}

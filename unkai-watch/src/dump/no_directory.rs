//! On other systems than Linux there is no dump.

use std::fs::File;
use std::io;
use std::path::Path;

use super::error::DumpError;
use crate::file_name::FileName;

/// Nothing is one of these.
#[derive(Debug)]
pub(super) enum Directory {}

impl Directory {
    pub(super) fn open(_: &Path) -> Result<Self, DumpError> {
        Err(DumpError::Unsupported)
    }

    pub(super) fn path(&self) -> &Path {
        match *self {}
    }

    pub(super) fn create(&mut self, _: &FileName) -> Result<File, DumpError> {
        match *self {}
    }

    pub(super) fn largest_file(&self) -> u64 {
        match *self {}
    }

    pub(super) fn not_written(&self, _: io::Error) -> DumpError {
        match *self {}
    }

    pub(super) fn reserve_descriptor(&mut self) {
        match *self {}
    }

    pub(super) fn rename(&self, _: &FileName, _: &FileName) -> Result<(), DumpError> {
        match *self {}
    }

    pub(super) fn remove(&self, _: &FileName) {
        match *self {}
    }

    pub(super) fn prune(&mut self, _: &FileName, _: usize) -> Result<(), DumpError> {
        match *self {}
    }

    pub(super) fn remove_abandoned(&mut self) {
        match *self {}
    }
}

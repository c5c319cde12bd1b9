//! Writes no more than there is room for, and counts on.

use std::fs::File;
use std::io::{self, Write};

/// Hands the first `room` bytes to a file.
#[derive(Debug)]
pub(super) struct Capped<'a> {
    file: &'a File,
    room: u64,
    bytes: u64,
    /// What the system takes at most.
    largest_file: u64,
}

impl<'a> Capped<'a> {
    pub(super) fn new(file: &'a File, room: u64) -> Self {
        Self {
            file,
            room,
            bytes: 0,
            largest_file: largest_file(),
        }
    }

    /// All bytes that were there to be written. The file has them if they are not more than the room.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Write for Capped<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let all = self.bytes.saturating_add(bytes.len() as u64);
        if all > self.room {
            self.bytes = all;
            return Ok(bytes.len());
        }
        // The system would not only refuse what is beyond its limit, but kill the process for it.
        if all > self.largest_file {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let written = self.file.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The most bytes that a file of this process may have.
#[cfg(unix)]
fn largest_file() -> u64 {
    use rustix::process::{Resource, getrlimit};

    getrlimit(Resource::Fsize).current.unwrap_or(u64::MAX)
}

#[cfg(not(unix))]
fn largest_file() -> u64 {
    u64::MAX
}

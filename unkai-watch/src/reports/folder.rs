//! The directory of the reports, while one thread of one process has it to itself.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::ReportError;
use crate::file_name::Kind;

#[derive(Debug)]
pub(super) struct Folder {
    dir: PathBuf,
    /// Whole reports of all processes, the oldest first.
    reports: Vec<Entry>,
    /// Reports that are not whole.
    unfinished: Vec<Entry>,
    lock: Option<lock::Lock>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    bytes: u64,
}

impl Folder {
    /// The directory as it is, when nobody else writes to it any more.
    pub(super) fn lock(dir: &Path) -> Result<Self, ReportError> {
        let lock = lock::Lock::of(dir, LONGEST_WAIT)?;
        let mut folder = Self {
            dir: dir.to_owned(),
            reports: Vec::new(),
            unfinished: Vec::new(),
            lock,
        };
        folder.list().map_err(|source| ReportError::Directory {
            dir: dir.to_owned(),
            source,
        })?;
        folder.reports.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(folder)
    }

    /// Bytes of all reports.
    pub(super) fn bytes(&self) -> u64 {
        let reports = self.reports.iter().map(|entry| entry.bytes);
        reports.fold(self.fixed_bytes(), u64::saturating_add)
    }

    /// Bytes that no new report can have.
    pub(super) fn fixed_bytes(&self) -> u64 {
        let unfinished = self.unfinished.iter().map(|entry| entry.bytes);
        unfinished.fold(0, u64::saturating_add)
    }

    /// Removes what nobody will finish; what cannot be removed stays, and counts.
    pub(super) fn remove_abandoned(&mut self) {
        let Self {
            dir,
            unfinished,
            lock,
            ..
        } = self;
        unfinished.retain(|entry| {
            let name = entry.name.as_bytes();
            // Who has the lock is the only one who writes.
            let is_abandoned = match lock {
                Some(_) => true,
                None => Kind::Report.names_older_temporary(name, LONGEST_TO_WRITE),
            };
            !(is_abandoned && fs::remove_file(dir.join(&entry.name)).is_ok())
        });
    }

    /// Removes the oldest reports until `bytes` are left.
    pub(super) fn make_room(&mut self, bytes: u64) -> Result<(), ReportError> {
        while self.bytes() > bytes && !self.reports.is_empty() {
            let path = self.dir.join(&self.reports[0].name);
            remove(&path).map_err(|source| ReportError::NoRoom { path, source })?;
            self.reports.remove(0);
        }
        Ok(())
    }

    /// Removes the oldest reports until `keep` are left, of which `newest` is one.
    pub(super) fn prune(&mut self, newest: &Path, keep: usize) -> Result<(), ReportError> {
        while self.reports.len() >= keep {
            let old = self.dir.join(&self.reports[0].name);
            remove(&old).map_err(|source| ReportError::NotPruned {
                path: newest.to_owned(),
                old,
                source,
            })?;
            self.reports.remove(0);
        }
        Ok(())
    }

    fn list(&mut self) -> io::Result<()> {
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let list = if Kind::Report.names(name.as_bytes()) {
                &mut self.reports
            } else if Kind::Report.names_temporary(name.as_bytes()) {
                &mut self.unfinished
            } else {
                continue;
            };
            // Of a link, its own length; of what is gone by now, none.
            let bytes = entry.metadata().map_or(0, |metadata| metadata.len());
            list.push(Entry { name, bytes });
        }
        Ok(())
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(unix)]
mod lock {
    use std::fs::File;
    use std::path::Path;
    use std::thread;
    use std::time::{Duration, Instant};

    use rustix::fs::{CWD, FlockOperation, Mode, OFlags, flock, openat};
    use rustix::io::Errno;

    use super::super::error::ReportError;

    /// A lock on the directory itself, which the system takes back when the process dies.
    #[derive(Debug)]
    pub(super) struct Lock {
        _dir: File,
    }

    impl Lock {
        /// Waits for the lock; `None` where there is none.
        pub(super) fn of(dir: &Path, longest: Duration) -> Result<Option<Self>, ReportError> {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let file = openat(CWD, dir, flags, Mode::empty());
            let file = file.map_err(|errno| ReportError::Directory {
                dir: dir.to_owned(),
                source: errno.into(),
            })?;
            let since = Instant::now();
            loop {
                match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                    Ok(()) => {
                        let _dir = File::from(file);
                        return Ok(Some(Self { _dir }));
                    }
                    Err(Errno::WOULDBLOCK) if since.elapsed() < longest => thread::sleep(STEP),
                    Err(Errno::WOULDBLOCK) => {
                        let dir = dir.to_owned();
                        return Err(ReportError::Busy { dir });
                    }
                    Err(Errno::INTR) => {}
                    Err(_) => return Ok(None),
                }
            }
        }
    }

    const STEP: Duration = Duration::from_millis(10);
}

#[cfg(not(unix))]
mod lock {
    use std::path::Path;
    use std::time::Duration;

    use super::super::error::ReportError;

    /// There is none.
    #[derive(Debug)]
    pub(super) enum Lock {}

    impl Lock {
        pub(super) fn of(_: &Path, _: Duration) -> Result<Option<Self>, ReportError> {
            Ok(None)
        }
    }
}

/// For others to write their reports.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Where there is no lock: older ones than this have lost their process.
const LONGEST_TO_WRITE: Duration = Duration::from_secs(3600);

#[cfg(all(test, unix))]
mod tests {
    use super::lock::Lock;
    use super::*;

    #[test]
    fn who_waits_too_long_for_the_directory_is_told_so() {
        let folder = tempfile::tempdir().expect("there is room");
        let first = Lock::of(folder.path(), Duration::ZERO).expect("nobody has it");
        let second = Lock::of(folder.path(), Duration::from_millis(30));
        let error = second.expect_err("the first one has it");
        assert!(matches!(error, ReportError::Busy { .. }), "{error:?}");
        drop(first);
        Lock::of(folder.path(), Duration::ZERO).expect("nobody has it");
    }
}

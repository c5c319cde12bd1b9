//! The directory of the dumps, held open. Nothing here allocates but [`Directory::open`].

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{
    AtFlags, CWD, FlockOperation, Mode, OFlags, RawDir, SeekFrom, flock, openat, renameat, seek,
    unlinkat,
};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use super::error::DumpError;
use crate::file_name::{FileName, Kind};

#[derive(Debug)]
pub(super) struct Directory {
    fd: OwnedFd,
    /// A descriptor in reserve, for when the process has none left.
    spare: Option<OwnedFd>,
    path: Arc<Path>,
    /// The path for the system.
    c_path: CString,
    /// Room for the system to list names in.
    listing: Box<[MaybeUninit<u8>]>,
}

impl Directory {
    pub(super) fn open(path: &Path) -> Result<Self, DumpError> {
        let path: Arc<Path> = Arc::from(path);
        let not_opened = |source| DumpError::Directory {
            dir: Arc::clone(&path),
            source,
        };
        let c_path = CString::new(path.as_os_str().as_bytes());
        let c_path = c_path.map_err(|_| not_opened(io::ErrorKind::InvalidInput.into()))?;
        let fd = open(&c_path).map_err(|errno| not_opened(errno.into()))?;
        Ok(Self {
            spare: fd.try_clone().ok(),
            fd,
            path,
            c_path,
            listing: vec![MaybeUninit::new(1); LISTING_BYTES].into_boxed_slice(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A new file that only its owner may read, marked as being written.
    pub(super) fn create(&mut self, name: &FileName) -> Result<File, DumpError> {
        let file = create(&self.fd, name).or_else(|errno| {
            // It may have been removed and made anew.
            if errno == Errno::NOENT
                && let Ok(fd) = open(&self.c_path)
            {
                self.fd = fd;
            }
            if matches!(errno, Errno::MFILE | Errno::NFILE) {
                self.spare = None;
            }
            create(&self.fd, name)
        });
        let file = file.map_err(|errno| DumpError::Create {
            dir: Arc::clone(&self.path),
            source: errno.into(),
        })?;
        // Where there are no locks, nobody will take the file for abandoned either.
        let _ = flock(&file, FlockOperation::NonBlockingLockExclusive);
        Ok(File::from(file))
    }

    /// The most bytes that a file of this process may have.
    pub(super) fn largest_file(&self) -> u64 {
        getrlimit(Resource::Fsize).current.unwrap_or(u64::MAX)
    }

    pub(super) fn not_written(&self, source: io::Error) -> DumpError {
        let dir = Arc::clone(&self.path);
        DumpError::Write { dir, source }
    }

    /// Takes a descriptor in reserve again, if there is one to be had.
    pub(super) fn reserve_descriptor(&mut self) {
        if self.spare.is_none() {
            self.spare = self.fd.try_clone().ok();
        }
    }

    /// Gives the file its name, in place of a file that has it.
    pub(super) fn rename(&self, from: &FileName, to: &FileName) -> Result<(), DumpError> {
        renameat(&self.fd, from.as_c_str(), &self.fd, to.as_c_str()).map_err(|errno| {
            DumpError::Rename {
                dir: Arc::clone(&self.path),
                source: errno.into(),
            }
        })
    }

    /// Removes a file that was not finished. If even that fails, a later process will.
    pub(super) fn remove(&self, name: &FileName) {
        let _ = self.unlink(name);
    }

    /// Removes the oldest dumps until `keep` are left, of which `newest` is one.
    pub(super) fn prune(&mut self, newest: &FileName, keep: usize) -> Result<(), DumpError> {
        loop {
            let (mut others, mut oldest) = (0, None::<FileName>);
            let listed = self.each_name(|name| {
                if !Kind::Dump.names(name) || name == newest.as_str().as_bytes() {
                    return;
                }
                others += 1;
                if oldest.is_none_or(|oldest| name < oldest.as_str().as_bytes()) {
                    oldest = FileName::read(name);
                }
            });
            let removed = match oldest {
                Some(oldest) if others >= keep => listed.and_then(|()| self.unlink(&oldest)),
                _ => return listed.map_err(|errno| self.not_pruned(errno)),
            };
            match removed {
                // Another process may prune as well.
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(self.not_pruned(errno)),
            }
        }
    }

    /// Removes files that nobody will finish. What cannot be removed stays.
    pub(super) fn remove_abandoned(&mut self) {
        while let Some(abandoned) = self.find_abandoned() {
            if self.unlink(&abandoned).is_err() {
                return;
            }
        }
    }

    fn find_abandoned(&mut self) -> Option<FileName> {
        let mut found = None;
        let Self { fd, listing, .. } = self;
        let _ = each_name(fd, listing, |name| {
            if found.is_none() && Kind::Dump.names_older_temporary(name, LONG_AGO) {
                found = FileName::read(name).filter(|name| is_abandoned(fd, name));
            }
        });
        found
    }

    fn each_name(&mut self, visit: impl FnMut(&[u8])) -> Result<(), Errno> {
        each_name(&self.fd, &mut self.listing, visit)
    }

    fn unlink(&self, name: &FileName) -> Result<(), Errno> {
        unlinkat(&self.fd, name.as_c_str(), AtFlags::empty())
    }

    fn not_pruned(&self, errno: Errno) -> DumpError {
        DumpError::NotPruned {
            dir: Arc::clone(&self.path),
            source: errno.into(),
        }
    }
}

fn open(path: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty())
}

fn create(dir: &OwnedFd, name: &FileName) -> Result<OwnedFd, Errno> {
    let new = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
    let flags = OFlags::WRONLY | OFlags::CLOEXEC | new;
    openat(dir, name.as_c_str(), flags, Mode::RUSR | Mode::WUSR)
}

/// Who writes a file holds its lock, and loses it by dying.
fn is_abandoned(dir: &OwnedFd, name: &FileName) -> bool {
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(dir, name.as_c_str(), flags, Mode::empty());
    file.is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok())
}

/// Calls `visit` with the name of each entry of `dir`, in no particular order.
fn each_name(
    dir: &OwnedFd,
    listing: &mut [MaybeUninit<u8>],
    mut visit: impl FnMut(&[u8]),
) -> Result<(), Errno> {
    seek(dir, SeekFrom::Start(0))?;
    let mut entries = RawDir::new(dir, listing);
    while let Some(entry) = entries.next() {
        visit(entry?.file_name().to_bytes());
    }
    Ok(())
}

const LISTING_BYTES: usize = 8 << 10;
/// Who has created a file has locked it by then.
const LONG_AGO: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    use rustix::fs::{FileType, mknodat};

    use super::*;

    #[test]
    fn a_link_in_the_place_of_the_file_is_not_followed() {
        let folder = tempfile::tempdir().expect("there is room");
        let (victim, nowhere) = (folder.path().join("victim"), folder.path().join("nowhere"));
        fs::write(&victim, "precious").expect("there is room");
        let mut directory = Directory::open(folder.path()).expect("it is a directory");
        for target in [&victim, &nowhere] {
            let name = FileName::new(Kind::Dump, "test", "json").temporary();
            symlink(target, folder.path().join(name.as_str())).expect("it is new");
            let error = directory.create(&name).expect_err("there is a link");
            assert!(matches!(error, DumpError::Create { .. }), "{error:?}");
        }
        assert_eq!(fs::read(&victim).expect("it is there"), b"precious");
        assert!(!nowhere.exists());
    }

    #[test]
    fn a_pipe_a_hard_link_or_a_file_in_the_place_of_the_file_is_an_error() {
        let folder = tempfile::tempdir().expect("there is room");
        let victim = folder.path().join("victim");
        fs::write(&victim, "precious").expect("there is room");
        let mut directory = Directory::open(folder.path()).expect("it is a directory");
        for kind in 0..3 {
            let name = FileName::new(Kind::Dump, "test", "json").temporary();
            let path = folder.path().join(name.as_str());
            match kind {
                0 => fs::hard_link(&victim, &path).expect("it is new"),
                1 => fs::write(&path, "theirs").expect("it is new"),
                _ => mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o666), 0)
                    .expect("it is new"),
            }
            let error = directory.create(&name).expect_err("it is taken");
            assert!(matches!(error, DumpError::Create { .. }), "{error:?}");
            assert!(
                fs::symlink_metadata(&path).is_ok(),
                "it is not ours to remove"
            );
        }
        assert_eq!(fs::read(&victim).expect("it is there"), b"precious");
    }

    #[test]
    fn what_is_planted_at_the_name_is_replaced_and_not_followed() {
        let folder = tempfile::tempdir().expect("there is room");
        let victim = folder.path().join("victim");
        fs::write(&victim, "precious").expect("there is room");
        let mut directory = Directory::open(folder.path()).expect("it is a directory");
        for kind in 0..3 {
            let name = FileName::new(Kind::Dump, "test", "json");
            let path = folder.path().join(name.as_str());
            drop(directory.create(&name.temporary()).expect("it is free"));
            match kind {
                0 => symlink(&victim, &path).expect("it is new"),
                1 => fs::hard_link(&victim, &path).expect("it is new"),
                _ => mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o666), 0)
                    .expect("it is new"),
            }
            directory
                .rename(&name.temporary(), &name)
                .expect("a name is replaced");
            let there = fs::symlink_metadata(&path).expect("it is there");
            assert!(there.is_file() && there.len() == 0, "{kind}");
            assert_eq!(there.mode() & 0o777, 0o600, "{kind}");
        }
        assert_eq!(fs::read(&victim).expect("it is there"), b"precious");
    }

    #[test]
    fn a_directory_that_was_replaced_by_a_link_is_not_left() {
        let folder = tempfile::tempdir().expect("there is room");
        let [ours, theirs, moved] =
            ["ours", "theirs", "moved"].map(|name| folder.path().join(name));
        fs::create_dir(&ours).expect("there is room");
        fs::create_dir(&theirs).expect("there is room");
        let mut directory = Directory::open(&ours).expect("it is a directory");
        fs::rename(&ours, &moved).expect("it is ours");
        symlink(&theirs, &ours).expect("it is free");
        let name = FileName::new(Kind::Dump, "test", "json").temporary();
        drop(directory.create(&name).expect("there is room"));
        assert!(moved.join(name.as_str()).is_file());
        assert_eq!(fs::read_dir(&theirs).expect("it is there").count(), 0);
    }

    /// Whoever opens a pipe waits for its other end.
    #[test]
    fn a_pipe_under_a_name_of_ours_stops_nobody() {
        let folder = tempfile::tempdir().expect("there is room");
        let pipe = folder
            .path()
            .join(".unkai-dump-20200101T000000.000Z-1-x.json.tmp");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o666), 0).expect("it is new");
        let mut directory = Directory::open(folder.path()).expect("it is a directory");
        directory.remove_abandoned();
        assert!(fs::symlink_metadata(&pipe).is_ok());
    }

    /// They were counted as dumps, could not be removed, and stood in for the oldest.
    #[test]
    fn names_that_only_look_like_ours_stop_no_pruning() {
        let folder = tempfile::tempdir().expect("there is room");
        for number in 0..20 {
            let planted = format!("unkai-dump-00000000T000000.000Z-1-é{number}");
            fs::write(folder.path().join(planted), "theirs").expect("there is room");
        }
        let mut directory = Directory::open(folder.path()).expect("it is a directory");
        for _ in 0..5 {
            let name = FileName::new(Kind::Dump, "test", "json");
            drop(directory.create(&name).expect("it is free"));
            directory.prune(&name, 1).expect("they are ours");
            let left = fs::read_dir(folder.path()).expect("it is there").count();
            assert_eq!(left, 20 + 1);
        }
    }

    #[test]
    fn what_a_dead_process_left_is_removed_and_what_a_living_one_writes_is_not() {
        let folder = tempfile::tempdir().expect("there is room");
        let of_pid = |pid| format!(".unkai-dump-20200101T000000.000Z-{pid}-x.json.tmp");
        let [dead, living] = [of_pid(1), of_pid(2)].map(|name| folder.path().join(name));
        fs::write(&dead, "[").expect("there is room");
        let written = File::create(&living).expect("there is room");
        flock(&written, FlockOperation::NonBlockingLockExclusive).expect("nobody has it");
        let mut directory = Directory::open(folder.path()).expect("it is a directory");
        let new = FileName::new(Kind::Dump, "new", "json").temporary();
        drop(directory.create(&new).expect("there is room"));
        directory.remove_abandoned();
        assert!(!dead.exists() && living.exists());
        assert!(
            folder.path().join(new.as_str()).exists(),
            "a minute is left for it to be locked"
        );
    }
}

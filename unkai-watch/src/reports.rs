//! A directory of reports, which never fills the disk.

mod capped;
mod error;
mod folder;

use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};
use std::process;

use unkai_core::aside;
use unkai_report::Report;

pub use error::ReportError;

use crate::file_name::{FileName, Kind};
use crate::format::Format;
use crate::stamp::Stamp;
use capped::Capped;
use folder::Folder;

/// A directory that keeps the newest reports, within a number of files and of bytes.
///
/// A report gets its name when it is whole and on the disk; until then it is a hidden file that ends in `.tmp`. What a process
/// that died has left half-written there, the next report removes. No other file in the directory is ever touched,
/// and no link in it followed.
///
/// | | default |
/// |---|---|
/// | file | `unkai-<UTC time>-<process>-<name>.<extension>`, readable by its owner only; names sort by time |
/// | [`format`](Self::format) | HTML |
/// | [`keep`](Self::keep) | the newest 10, of all processes, names and formats together |
/// | [`max_bytes`](Self::max_bytes) | 256 MiB, the one that is just being written included |
///
/// Processes and threads may share a directory: one after the other writes. (Where the system has no locks on directories,
/// as on Windows, those who write at the same moment can exceed the bytes together.)
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path();
/// use std::time::SystemTime;
/// use unkai_core::Snapshot;
/// use unkai_report::Report;
/// use unkai_watch::{Format, Reports};
///
/// let reports = Reports::in_dir(path).format(Format::Json).keep(3).max_bytes(64 << 20);
/// let report = Report::new(Snapshot::empty(SystemTime::now()));
/// let file = reports.write("nightly", &report)?;
/// assert!(file.to_string_lossy().ends_with("-nightly.json"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reports {
    dir: PathBuf,
    format: Format,
    keep: usize,
    max_bytes: u64,
}

impl Reports {
    /// Reports in the directory `path`, which must exist when one is written.
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

    /// How many reports are kept in the directory: one at least.
    #[must_use]
    pub const fn keep(mut self, files: usize) -> Self {
        self.keep = if files == 0 { 1 } else { files };
        self
    }

    /// How many bytes all reports in the directory take at most, at any moment. The oldest make room for a new one.
    #[must_use]
    pub const fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Finds out whether a report could be written, by beginning one: for a clear word at the start of a program.
    ///
    /// # Errors
    /// Those of [`write`](Self::write).
    pub fn check(&self) -> Result<(), ReportError> {
        let _folder = Folder::lock(&self.dir)?;
        let whole = FileName::new(Kind::Report, "check", self.format.extension());
        Unfinished::create(&self.dir, &whole).map(drop)
    }

    /// Writes `report`, and says into which file. `name` becomes part of the file's name: of its first 100 characters,
    /// those that are not letters, digits, `.`, `_` or `-` as `_`.
    ///
    /// Takes the time to write the format, twice that if older reports must make room, and to bring it to the disk.
    /// While another thread or process writes to the directory, it waits, for 10 s at most.
    ///
    /// # Errors
    /// [`ReportError`] says what could not be done with which file. There is no new report then, and nothing is left of it;
    /// older ones are untouched, unless they had to make room before the disk turned out to be full. But
    /// [`ReportError::NotPruned`] means that the report was written, and that an older one could not be removed.
    pub fn write(&self, name: &str, report: &Report) -> Result<PathBuf, ReportError> {
        aside(|| {
            let mut folder = Folder::lock(&self.dir)?;
            folder.remove_abandoned();
            let whole = FileName::new(Kind::Report, name, self.format.extension());
            let file = Unfinished::create(&self.dir, &whole)?;
            self.fill(&file, report, &mut folder)?;
            let path = file.finish()?;
            folder.prune(&path, self.keep)?;
            Ok(path)
        })
    }

    /// Writes all of `report`, if need be with the oldest reports out of its way.
    fn fill(
        &self,
        file: &Unfinished,
        report: &Report,
        folder: &mut Folder,
    ) -> Result<(), ReportError> {
        let bytes = self.attempt(file, report, folder.bytes())?;
        if folder.bytes().saturating_add(bytes) <= self.max_bytes {
            return Ok(());
        }
        let over_budget = |bytes| ReportError::OverBudget {
            path: file.path.clone(),
            bytes,
            max_bytes: self.max_bytes,
        };
        if bytes > self.max_bytes.saturating_sub(folder.fixed_bytes()) {
            return Err(over_budget(bytes));
        }
        file.empty()?;
        folder.make_room(self.max_bytes - bytes)?;
        let again = self.attempt(file, report, folder.bytes())?;
        match again <= bytes {
            true => Ok(()),
            false => Err(over_budget(again)),
        }
    }

    /// Writes as much of `report` as there is room for beside `others` bytes, and says how many bytes all of it takes.
    fn attempt(&self, file: &Unfinished, report: &Report, others: u64) -> Result<u64, ReportError> {
        let room = self.max_bytes.saturating_sub(others);
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, Capped::new(&file.file, room));
        let written = self.format.write(report, &mut out);
        let written = written.and_then(|()| out.flush());
        let (out, _) = out.into_parts();
        match written {
            Ok(()) => Ok(out.bytes()),
            Err(source) => Err(file.not_written(source)),
        }
    }
}

/// Writes `report` to the file `path` and no other, in place of what has that name: as carefully as into a directory of
/// reports, but with no cap on its bytes, and next to files of any kind.
pub(crate) fn write_alone(
    path: PathBuf,
    format: Format,
    report: &Report,
) -> Result<(), ReportError> {
    let dir = path.parent().unwrap_or(Path::new(""));
    // A name that no directory of reports knows: it may be one, and would take this for abandoned.
    let stamp = Stamp::next().text();
    let stamp = String::from_utf8_lossy(&stamp);
    let temporary = dir.join(format!(".unkai-alone-{stamp}-{}.tmp", process::id()));
    let file = Unfinished::create_as(temporary, path)?;
    let uncapped = Reports::in_dir("").format(format).max_bytes(u64::MAX);
    uncapped.attempt(&file, report, 0)?;
    file.finish().map(drop)
}

/// A file that is removed again if it is not finished.
#[derive(Debug)]
struct Unfinished {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
}

impl Unfinished {
    fn create(dir: &Path, whole: &FileName) -> Result<Self, ReportError> {
        let temporary = dir.join(whole.temporary().as_str());
        Self::create_as(temporary, dir.join(whole.as_str()))
    }

    fn create_as(temporary: PathBuf, path: PathBuf) -> Result<Self, ReportError> {
        let mut options = File::options();
        // Only a new file: neither one that is there nor what a link leads to.
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(&temporary) {
            Ok(file) => Ok(Self {
                file,
                temporary,
                path,
            }),
            Err(source) => Err(ReportError::Create { path, source }),
        }
    }

    fn empty(&self) -> Result<(), ReportError> {
        let emptied = self.file.set_len(0).and_then(|()| (&self.file).rewind());
        emptied.map_err(|source| self.not_written(source))
    }

    fn finish(self) -> Result<PathBuf, ReportError> {
        // A name for a file that is not on the disk would be one for an empty file, if the machine stopped now.
        let on_disk = self.file.sync_all();
        on_disk.map_err(|source| self.not_written(source))?;
        let path = self.path.clone();
        match fs::rename(&self.temporary, &path) {
            Ok(()) => Ok(path),
            Err(source) => Err(ReportError::Rename { path, source }),
        }
    }

    fn not_written(&self, source: io::Error) -> ReportError {
        let path = self.path.clone();
        match source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => ReportError::Full { path, source },
            _ => ReportError::Write { path, source },
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Finished, it no longer has this name. What cannot be removed now, a later report will remove.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Few calls of the system for a large report.
const BUFFER_BYTES: usize = 64 << 10;

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    /// What somebody may have put at `path` before us, in turn, to have `victim` written to or read.
    fn plant(kind: usize, path: &Path, victim: &Path) -> bool {
        let planted = match kind {
            0 => symlink(victim, path),
            1 => symlink(victim.with_extension("nowhere"), path),
            2 => fs::hard_link(victim, path),
            3 => mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o666), 0)
                .map_err(io::Error::from),
            4 => symlink(path, path),
            _ => return false,
        };
        planted.expect("it is new");
        true
    }

    #[test]
    fn a_link_in_the_place_of_the_file_is_not_followed() {
        let folder = tempfile::tempdir().expect("there is room");
        let (victim, nowhere) = (folder.path().join("victim"), folder.path().join("nowhere"));
        fs::write(&victim, "precious").expect("there is room");
        for target in [&victim, &nowhere] {
            let name = FileName::new(Kind::Report, "test", "html");
            symlink(target, folder.path().join(name.temporary().as_str())).expect("it is new");
            let error = Unfinished::create(folder.path(), &name).expect_err("there is a link");
            assert!(matches!(error, ReportError::Create { .. }), "{error:?}");
        }
        assert_eq!(fs::read(&victim).expect("it is there"), b"precious");
        assert!(!nowhere.exists());
    }

    #[test]
    fn what_is_planted_at_the_temporary_name_is_an_error_and_stays() {
        let folder = tempfile::tempdir().expect("there is room");
        let victim = folder.path().join("victim");
        fs::write(&victim, "precious").expect("there is room");
        for kind in 0.. {
            let name = FileName::new(Kind::Report, "test", "html");
            let temporary = folder.path().join(name.temporary().as_str());
            if !plant(kind, &temporary, &victim) {
                break;
            }
            let before = fs::symlink_metadata(&temporary).expect("it is there");
            let error = Unfinished::create(folder.path(), &name).expect_err("it is taken");
            assert!(matches!(error, ReportError::Create { .. }), "{error:?}");
            let after = fs::symlink_metadata(&temporary).expect("it is not ours to remove");
            assert_eq!((before.ino(), before.mode()), (after.ino(), after.mode()));
        }
        assert_eq!(fs::read(&victim).expect("it is there"), b"precious");
        assert!(!victim.with_extension("nowhere").exists());
    }

    #[test]
    fn what_is_planted_at_the_name_is_replaced_and_not_followed() {
        let folder = tempfile::tempdir().expect("there is room");
        let victim = folder.path().join("victim");
        fs::write(&victim, "precious").expect("there is room");
        for kind in 0.. {
            // Whole while the report was being written, too: the name is free when it begins.
            let name = FileName::new(Kind::Report, "test", "html");
            let file = Unfinished::create(folder.path(), &name).expect("it is free");
            if !plant(kind, &folder.path().join(name.as_str()), &victim) {
                break;
            }
            (&file.file).write_all(b"report").expect("there is room");
            let path = file.finish().expect("a name is replaced");
            let there = fs::symlink_metadata(&path).expect("it is there");
            assert!(there.is_file(), "{kind}");
            assert_eq!((there.mode() & 0o777, there.nlink()), (0o600, 1), "{kind}");
            assert_eq!(fs::read(&path).expect("it is there"), b"report");
        }
        assert_eq!(fs::read(&victim).expect("it is there"), b"precious");
        assert!(!victim.with_extension("nowhere").exists());
    }

    #[test]
    fn a_directory_at_the_name_is_an_error_and_leaves_nothing() {
        let folder = tempfile::tempdir().expect("there is room");
        let name = FileName::new(Kind::Report, "test", "html");
        let taken = folder.path().join(name.as_str());
        fs::create_dir_all(taken.join("precious")).expect("there is room");
        let file = Unfinished::create(folder.path(), &name).expect("it is free");
        let error = file.finish().expect_err("a directory has the name");
        assert!(matches!(error, ReportError::Rename { .. }), "{error:?}");
        assert!(taken.join("precious").is_dir());
        assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 1);
    }
}

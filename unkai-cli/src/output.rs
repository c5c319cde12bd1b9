//! Writing a result: to standard output, or to a file that is complete or not there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::failure::Failure;
use crate::input::{self, is_standard};
use crate::progress::Progress;

/// Where a result goes.
#[derive(Debug)]
pub(crate) enum Output {
    Standard,
    File(PathBuf),
}

impl Output {
    /// What `-o` says; standard output without it.
    pub(crate) fn of(path: Option<&Path>) -> Self {
        match path {
            Some(path) if !is_standard(path) => Self::File(path.to_owned()),
            _ => Self::Standard,
        }
    }

    /// Whether a person sees the result at once.
    pub(crate) fn is_terminal(&self) -> bool {
        matches!(self, Self::Standard) && io::stdout().is_terminal()
    }

    /// Refuses to write over `input`, whether it is named in the same way or reached by a link: what is written holds less
    /// than what was read.
    pub(crate) fn refuse_to_replace(&self, input: &Path) -> Result<(), Failure> {
        let Self::File(path) = self else {
            return Ok(());
        };
        match (fs::canonicalize(path), fs::canonicalize(input)) {
            (Ok(output), Ok(input)) if output == input => Err(Failure::Usage(format!(
                "{} is what is read: it is not replaced, name another file with -o",
                input::name(path)
            ))),
            _ => Ok(()),
        }
    }

    /// Puts there what `write` writes. A file is replaced when all of it has been written, and else stays as it is.
    pub(crate) fn put(
        &self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        match self {
            Self::Standard => match buffered(io::stdout().lock(), write) {
                Ok(_) => Ok(()),
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::EnoughRead),
                Err(error) => Err(Failure::of_file("standard output", &error)),
            },
            Self::File(path) => {
                let name = input::name(path);
                let _progress = Progress::begin(format!("writing {name}"));
                put_in_file(path, write).map_err(|error| Failure::of_file(&name, &error))
            }
        }
    }
}

fn put_in_file(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    refuse_planted(path)?;
    let named = path;
    // Where a link leads to is replaced, not the link.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let existing = fs::metadata(path).ok();
    if existing.as_ref().is_some_and(fs::Metadata::is_dir) {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if existing.as_ref().is_some_and(|file| !file.is_file()) {
        // A device or a pipe must not be replaced by a file.
        let device: File = OpenOptions::new().write(true).open(named)?;
        return buffered(device, write).map(drop);
    }
    if existing.is_some() {
        // A file that must not be written must not be replaced either, though the folder would let us. By the name that was
        // given, so that the system sees each link on the way.
        OpenOptions::new().write(true).open(named)?;
    }
    let beside = tempfile::Builder::new()
        .prefix(".unkai-")
        .tempfile_in(folder_of(path))?;
    let beside: NamedTempFile = buffered(beside, write)?;
    if let Some(existing) = existing {
        beside.as_file().set_permissions(existing.permissions())?;
    }
    beside.persist(path)?;
    Ok(())
}

/// Refuses to write through what somebody else may have put there for us to find: where everybody may create files, as in
/// `/tmp`, only what is our own or the folder owner's is replaced or followed. Systems have this rule for `open` (Linux calls
/// it `protected_symlinks`, `protected_fifos` and `protected_regular`), if they are set so, and none for a file that is
/// renamed into its place.
#[cfg(unix)]
fn refuse_planted(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;

    const STICKY_AND_FOR_EVERYBODY: u32 = 0o1002;
    let Ok(there) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    let folder = fs::metadata(folder_of(path))?;
    let is_shared = folder.mode() & STICKY_AND_FOR_EVERYBODY == STICKY_AND_FOR_EVERYBODY;
    let us = rustix::process::geteuid().as_raw();
    if is_shared && ![us, folder.uid()].contains(&there.uid()) {
        let why = "it is somebody else's, in a folder for everybody";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_planted(_path: &Path) -> io::Result<()> {
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Gives `out` back when all is written.
fn buffered<W: Write>(
    out: W,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<W> {
    let mut buffer = BufWriter::with_capacity(BUFFER_BYTES, out);
    write(&mut buffer)?;
    let mut out = buffer
        .into_inner()
        .map_err(io::IntoInnerError::into_error)?;
    // Standard output has a buffer of its own.
    out.flush()?;
    Ok(out)
}

const BUFFER_BYTES: usize = 64 << 10;

//! Which files there are, and their texts.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The files below `path`, sorted, or `path` itself if it is a file.
///
/// Hidden and generated folders are left out, and so is what is neither file nor folder. Folders that cannot be read are
/// added to `unreadable`.
///
/// # Errors
/// A message for the user, if `path` itself is neither a file nor a folder that can be read.
pub(crate) fn find_files(
    path: &Path,
    unreadable: &mut Vec<Unreadable>,
) -> Result<Vec<PathBuf>, String> {
    let cannot = |error: io::Error| format!("cannot read {}: {error}", path.display());
    let kind = fs::metadata(path).map_err(cannot)?;
    if kind.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    if !kind.is_dir() {
        let path = path.display();
        return Err(format!("{path} is neither a file nor a folder"));
    }
    fs::read_dir(path).map_err(cannot)?;

    let mut files = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        if let Err(error) = list_folder(&folder, &mut files, &mut folders) {
            unreadable.push(Unreadable::new(folder, error.to_string()));
        }
    }
    files.sort();
    Ok(files)
}

/// The text of a file, or why there is none.
#[inline(never)]
pub(crate) fn read_file(path: &Path) -> Result<String, Unreadable> {
    fs::read_to_string(path).map_err(|error| {
        let reason = match error.kind() {
            io::ErrorKind::InvalidData => "not UTF-8 text".to_owned(),
            _ => error.to_string(),
        };
        Unreadable::new(path.to_owned(), reason)
    })
}

/// A file or folder that was left out.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) path: PathBuf,
    pub(crate) reason: String,
}

impl Unreadable {
    fn new(path: PathBuf, reason: String) -> Self {
        Self { path, reason }
    }
}

/// Adds the files of a folder to `files`, and its folders to `folders`.
fn list_folder(
    folder: &Path,
    files: &mut Vec<PathBuf>,
    folders: &mut Vec<PathBuf>,
) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if kind.is_file() {
            files.push(entry.path());
        } else if kind.is_dir() && !is_generated(&entry.path()) {
            folders.push(entry.path());
        }
    }
    Ok(())
}

/// Cargo and others leave this file in folders that can be made again.
fn is_generated(folder: &Path) -> bool {
    let names = ["target", "node_modules"];
    names.iter().any(|name| folder.ends_with(name)) || folder.join("CACHEDIR.TAG").exists()
}

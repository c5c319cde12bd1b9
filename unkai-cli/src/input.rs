//! Reading profiles and trees of scopes.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use unkai_report::json::{self, ReadError};
use unkai_report::scopes::json::{self as scopes, ScopeRecord};
use unkai_report::{Report, printable};

use crate::failure::Failure;
use crate::progress::Progress;

/// The profile in the file `path`.
pub(crate) fn profile(path: &Path) -> Result<Report, Failure> {
    read(path, |input| json::read(input))
}

/// The tree of scopes in the file `path`.
pub(crate) fn scopes(path: &Path) -> Result<ScopeRecord, Failure> {
    read(path, |input| scopes::read(input))
}

/// The profiles in the files `paths`. Standard input can be one of them only.
pub(crate) fn profiles(paths: &[&Path]) -> Result<Vec<Report>, Failure> {
    if paths.iter().filter(|path| is_standard(path)).count() > 1 {
        let message = "standard input (\"-\") can be one of the profiles only";
        return Err(Failure::Usage(message.to_owned()));
    }
    paths.iter().map(|path| profile(path)).collect()
}

/// Whether `path` stands for standard input or output.
pub(crate) fn is_standard(path: &Path) -> bool {
    path.as_os_str() == OsStr::new("-")
}

/// `path` for messages: nothing in it acts on the terminal.
pub(crate) fn name(path: &Path) -> String {
    if is_standard(path) {
        return "standard input".to_owned();
    }
    let name = path.display().to_string();
    let is_plain = !name.is_empty() && printable(&name) == name;
    if is_plain { name } else { format!("{name:?}") }
}

fn read<D>(
    path: &Path,
    parse: impl FnOnce(&mut dyn Read) -> Result<D, ReadError>,
) -> Result<D, Failure> {
    let name = name(path);
    let failed = |error: io::Error| Failure::of_file(&name, &error);
    let _progress = Progress::begin(format!("reading {name}"));
    if is_standard(path) {
        return parse_all(&name, io::stdin().lock(), parse);
    }
    let file = File::open(path).map_err(failed)?;
    if fs::metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    parse_all(&name, BufReader::new(file), parse)
}

fn parse_all<D>(
    name: &str,
    mut input: impl BufRead,
    parse: impl FnOnce(&mut dyn Read) -> Result<D, ReadError>,
) -> Result<D, Failure> {
    let failed = |reason: &str| Err(Failure::Failed(format!("{name}: {reason}")));
    match input.fill_buf() {
        Ok([]) => return failed("it is empty"),
        Ok(start) if start.starts_with(GZIP) => {
            return failed(
                "it is compressed by gzip; unkai reads the JSON within: use gunzip first",
            );
        }
        _ => {}
    }
    let document = parse(&mut input).map_err(|error| match &error {
        ReadError::OtherDocument {
            found: Some("scope tree"),
            ..
        } => Failure::Failed(format!("{name}: {error}; 'unkai scopes' shows it")),
        ReadError::OtherDocument {
            found: Some("heap profile"),
            ..
        } => Failure::Failed(format!("{name}: {error}; 'unkai report' shows it")),
        _ => Failure::of_file(name, &error),
    })?;
    Ok(document)
}

/// How such files begin.
const GZIP: &[u8] = &[0x1f, 0x8b];

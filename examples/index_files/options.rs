//! What the command line asks for.

use std::ffi::OsString;
use std::path::PathBuf;

/// What to do, and how.
#[derive(Debug)]
pub(crate) struct Options {
    /// The file or folder to index.
    pub(crate) path: PathBuf,
    /// Mean bytes between two samples.
    pub(crate) interval: u64,
    /// How often to build the index.
    pub(crate) repeat: u32,
    /// The folder to write the reports to.
    pub(crate) reports: PathBuf,
}

/// What was asked for.
#[derive(Debug)]
pub(crate) enum Request {
    Help,
    Run(Options),
}

/// Mean bytes between two samples, unless asked otherwise: eight times as dense as unkai's default.
pub(crate) const INTERVAL: u64 = 64 << 10;

pub(crate) const HELP: &str = "\
Index the words of all text files below a folder, and report where the memory went.

Usage: index_files [OPTIONS] [PATH]

  PATH              file or folder [default: the sources of unkai]
                    Hidden and generated folders are left out; links are not followed.
  --interval BYTES  one sample for so many allocated bytes, on average [default: 64K]
                    1 samples every block, K, M and G multiply by powers of 1024.
                    unkai's own default is 512K; 64K shows more of a small program.
  --repeat N        build the index N times, to work longer [default: 1]
  --reports DIR     the folder to write reports to, for a browser, for go tool pprof
                    and for programs [default: target/index_files]
  --help            show this text

Exit status: 0 if all went well, 1 if there was nothing to index or to write to,
2 if the command line makes no sense.
";

/// Reads the arguments behind the program's name. The error is a message for the user.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Request, String> {
    let mut arguments = arguments.into_iter();
    let mut path = None;
    let mut options = Options {
        path: PathBuf::from(env!("CARGO_MANIFEST_DIR")),
        interval: INTERVAL,
        repeat: 1,
        reports: PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/index_files"),
    };
    while let Some(argument) = arguments.next() {
        let mut value = |option: &str| {
            let missing = || format!("{option} needs a value");
            arguments.next().ok_or_else(missing)
        };
        match argument.to_str() {
            Some("--help" | "-h") => return Ok(Request::Help),
            Some(option @ "--interval") => options.interval = interval(&value(option)?)?,
            Some(option @ "--repeat") => options.repeat = repeat(&value(option)?)?,
            Some(option @ "--reports") => options.reports = value(option)?.into(),
            Some(option) if option.starts_with('-') => {
                return Err(format!("there is no option {option}"));
            }
            _ if path.is_some() => {
                let second = argument.to_string_lossy();
                return Err(format!("one PATH is enough, what is {second:?}?"));
            }
            _ => path = Some(PathBuf::from(argument)),
        }
    }
    options.path = path.unwrap_or(options.path);
    Ok(Request::Run(options))
}

fn interval(value: &OsString) -> Result<u64, String> {
    let text = value.to_string_lossy();
    let (number, shift) = match text.strip_suffix(['K', 'M', 'G']) {
        Some(number) if text.ends_with('K') => (number, 10),
        Some(number) if text.ends_with('M') => (number, 20),
        Some(number) => (number, 30),
        None => (text.as_ref(), 0),
    };
    let bytes = number.parse::<u64>().ok();
    bytes
        .and_then(|number| number.checked_mul(1 << shift))
        .filter(|bytes| (1..=LONGEST_INTERVAL).contains(bytes))
        .ok_or_else(|| format!("--interval takes 1 to 64G bytes, not {text:?}"))
}

fn repeat(value: &OsString) -> Result<u32, String> {
    let text = value.to_string_lossy();
    let times = text.parse().ok().filter(|times| *times > 0);
    times.ok_or_else(|| format!("--repeat takes a number from 1, not {text:?}"))
}

/// The longest sampling interval that unkai knows.
const LONGEST_INTERVAL: u64 = 64 << 30;

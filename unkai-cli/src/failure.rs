//! Why the tool stops, and with which exit code.

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use unkai_report::printable;

use crate::arguments::Arguments;

/// Why a command did not do what it was asked for.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What was asked for makes no sense.
    Usage(String),
    /// An input cannot be read or is damaged, or the output cannot be written.
    Failed(String),
    /// Whoever read the output wants no more of it, which is no error: `unkai top profile.json | head`.
    EnoughRead,
}

impl Failure {
    /// `name` of a file, and what went wrong with it.
    pub(crate) fn of_file(name: &str, error: &(dyn Error + 'static)) -> Self {
        Self::Failed(format!("{name}: {}", with_sources(error)))
    }

    /// Says it on standard error.
    pub(crate) fn tell(&self) -> ExitCode {
        let (message, code) = match self {
            Self::Usage(message) => (
                format!("{message}\n\nFor more information, try '--help'."),
                2,
            ),
            Self::Failed(message) => (message.clone(), 1),
            Self::EnoughRead => return ExitCode::SUCCESS,
        };
        say(&format!("error: {message}"));
        ExitCode::from(code)
    }
}

/// Says what is wrong with the command line, or the help that was asked for.
///
/// clap quotes arguments as they are, and a pattern such as `*.json` makes arguments of whatever files are called. So it is told
/// of the same line once more, made printable.
pub(crate) fn tell_of_usage(error: &clap::Error) -> ExitCode {
    let printable = |argument: OsString| printable(&argument.to_string_lossy()).into_owned();
    match Arguments::try_parse_from(env::args_os().map(printable)) {
        Err(error) => error.exit(),
        // Not even what is no text is wrong in any other way.
        Ok(_) => {
            say(&error.kind().to_string());
            ExitCode::from(2)
        }
    }
}

/// Says `message` on standard error. Whatever it quotes, it does nothing but break its lines.
fn say(message: &str) {
    let lines: Vec<_> = message.split('\n').map(printable).collect();
    // There is nobody left to tell if this fails.
    let _ = writeln!(io::stderr(), "{}", lines.join("\n"));
}

/// `error` and what caused it, in one line.
fn with_sources(error: &(dyn Error + 'static)) -> String {
    let mut text = in_words(error);
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {}", in_words(error));
        source = error.source();
    }
    text
}

/// The system's words without its number, and without the name of a temporary file that may follow:
/// `No such file or directory (os error 2)`.
fn in_words(error: &(dyn Error + 'static)) -> String {
    let text = error.to_string();
    let number = text.rfind(" (os error ").unwrap_or(text.len());
    text[..number].to_owned()
}

//! Why the tool stops, and with which exit code.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

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
        // There is nobody left to tell if this fails.
        let _ = writeln!(io::stderr(), "error: {message}");
        ExitCode::from(code)
    }
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

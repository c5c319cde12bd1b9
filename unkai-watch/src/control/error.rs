//! What can be wrong with settings, for the operator who typed them.

use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::io;

use super::rules::RulesError;
use super::words::quoted;
use crate::{DumpError, ReportError, StartError};

/// Why settings were not applied. Nothing was changed.
///
/// As text it is for an operator: a line, and below it one for each variable that is wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum EnvError {
    /// Some settings are malformed or unknown, or do not go together: all of them.
    Invalid(Vec<Problem>),
    /// Nothing of this process allocates through `UnkaiGlobalAlloc`.
    NoProfile,
    /// No report could be written to the directory for reports.
    Reports(ReportError),
    /// Memory for a dump could not be reserved.
    Dump(DumpError),
    /// The watcher could not start.
    Start(StartError),
    /// The system has refused a handler for the signal.
    Signal {
        /// The signal's number.
        signal: i32,
        /// Why.
        source: io::Error,
    },
    /// The C library has no room for another function at exit.
    AtExit,
}

/// One thing that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// A variable that begins with `UNKAI_` and is none of ours.
    Unknown {
        /// Its name.
        name: String,
        /// The variable that was probably meant.
        did_you_mean: Option<&'static str>,
    },
    /// The value is not text.
    NotUnicode {
        /// The variable.
        variable: &'static str,
    },
    /// The value makes no sense.
    Malformed {
        /// The variable.
        variable: &'static str,
        /// Its value.
        value: String,
        /// Why, and what was expected.
        reason: String,
    },
    /// `UNKAI_RULES` are no rules.
    Rules(RulesError),
    /// Something writes reports, but there is no directory for them.
    NoDirectory {
        /// What writes them: a variable, or one of its rules.
        what: String,
    },
    /// A rule logs, and unkai was built without its feature `log`.
    NoLog {
        /// The rule's name.
        rule: String,
    },
}

impl Display for EnvError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("unkai: ")?;
        match self {
            Self::Invalid(problems) => {
                match problems.len() {
                    1 => f.write_str("a setting is wrong, so none is applied:")?,
                    n => write!(f, "{n} settings are wrong, so none is applied:")?,
                }
                // Each problem is a block of its own, set in.
                let blocks = problems.iter().map(ToString::to_string);
                for line in blocks.flat_map(|block| lines(&block)) {
                    write!(f, "\n  {line}")?;
                }
                Ok(())
            }
            Self::NoProfile => f.write_str(
                "the settings have nothing to act on: make UnkaiGlobalAlloc the program's #[global_allocator]",
            ),
            Self::Reports(error) => write!(f, "UNKAI_REPORTS: {error}"),
            Self::Dump(error) => write!(f, "UNKAI_RULES: a rule cannot prepare its dump: {error}"),
            Self::Start(error) => {
                write!(f, "the watcher does not start: {error}")?;
                // Whoever reads this sees nothing but this text.
                match error.source() {
                    Some(source) => write!(f, ": {source}"),
                    None => Ok(()),
                }
            }
            Self::Signal { signal, source } => {
                write!(f, "UNKAI_SIGNAL: there is no handler for signal {signal}: {source}")
            }
            Self::AtExit => f.write_str(
                "UNKAI_REPORT_AT_EXIT: the C library has no memory for a function at exit",
            ),
        }
    }
}

impl Error for EnvError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Signal { source, .. } => Some(source),
            Self::Reports(error) => Some(error),
            Self::Dump(error) => Some(error),
            Self::Start(error) => Some(error),
            _ => None,
        }
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name, did_you_mean } => {
                write!(f, "{} is no variable of unkai", quoted(name))?;
                match did_you_mean {
                    Some(known) => write!(f, ", did you mean {known}?"),
                    None => Ok(()),
                }
            }
            Self::NotUnicode { variable } => write!(f, "{variable} is not valid Unicode"),
            Self::Malformed {
                variable,
                value,
                reason,
            } => write!(f, "{variable} is {}: {reason}", quoted(value)),
            Self::Rules(error) => write!(f, "UNKAI_RULES, {error}"),
            Self::NoDirectory { what } => write!(
                f,
                "{what} writes reports: set UNKAI_REPORTS to the directory for them"
            ),
            Self::NoLog { rule } => write!(
                f,
                "rule `{rule}` of UNKAI_RULES logs: build unkai with its feature `log`, or leave out the action"
            ),
        }
    }
}

impl Error for Problem {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Rules(error) => Some(error),
            _ => None,
        }
    }
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

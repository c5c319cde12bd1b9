//! From text to what is to be done: reads every setting, and finds all that is wrong.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use unkai_core::Sampling;

use super::amount;
use super::error::Problem;
use super::path::ReportPath;
use super::rules::{self, Action, Spec};
use super::signal::Signal;
use super::words::{list, nearest};
use crate::{Format, Reports};

/// How many settings there are.
pub(super) const KNOWN: usize = 6;

/// A setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Sampling,
    Interval,
    ReportAtExit,
    Reports,
    Signal,
    Rules,
}

/// All settings, read.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    pub(super) is_on: Option<bool>,
    pub(super) sampling: Option<Sampling>,
    pub(super) at_exit: Option<ReportPath>,
    pub(super) reports: Option<Reports>,
    pub(super) signal: Option<Signal>,
    pub(super) rules: Vec<Spec>,
}

impl Name {
    pub(super) const ALL: [(Self, &str); KNOWN] = [
        (Self::Sampling, "UNKAI"),
        (Self::Interval, "UNKAI_INTERVAL"),
        (Self::ReportAtExit, "UNKAI_REPORT_AT_EXIT"),
        (Self::Reports, "UNKAI_REPORTS"),
        (Self::Signal, "UNKAI_SIGNAL"),
        (Self::Rules, "UNKAI_RULES"),
    ];

    pub(super) fn of_variable(variable: &str) -> Option<Self> {
        let mut all = Self::ALL.iter();
        all.find(|(_, known)| *known == variable)
            .map(|(name, _)| *name)
    }

    /// Whether a variable means this module, by a name that it may not know.
    pub(super) fn is_ours(variable: &OsStr) -> bool {
        let is_prefixed = variable.as_encoded_bytes().starts_with(b"UNKAI_");
        is_prefixed && !ELSEWHERE.iter().any(|known| variable == *known)
    }

    fn variable(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// Variables that another crate reads.
const ELSEWHERE: [&str; 1] = ["UNKAI_HTTP"];

impl Plan {
    /// Reads all settings; `text` says what each is set to.
    pub(super) fn read<'a>(
        text: impl Fn(Name) -> Option<&'a OsStr>,
        unknown: &[OsString],
    ) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader {
            text,
            problems: Vec::new(),
        };
        let mut plan = Self {
            is_on: reader.read(Name::Sampling, on_or_off),
            sampling: reader.read(Name::Interval, interval),
            at_exit: reader.read(Name::ReportAtExit, ReportPath::read),
            reports: reader.read(Name::Reports, reports),
            signal: reader.read(Name::Signal, Signal::read),
            rules: Vec::new(),
        };
        if let Some(text) = reader.text_of(Name::Rules) {
            match rules::parse(text) {
                Ok(rules) => plan.rules = rules,
                Err(error) => reader.problems.push(Problem::Rules(error)),
            }
        }
        let mut problems = reader.problems;
        plan.check_together((reader.text)(Name::Reports).is_some(), &mut problems);
        problems.extend(unknown.iter().map(|name| unknown_variable(name)));
        if problems.is_empty() {
            Ok(plan)
        } else {
            Err(problems)
        }
    }

    /// Whether nothing is to be done.
    pub(super) fn is_empty(&self) -> bool {
        let Self {
            is_on,
            sampling,
            at_exit,
            reports: _,
            signal,
            rules,
        } = self;
        is_on.is_none()
            && sampling.is_none()
            && at_exit.is_none()
            && signal.is_none()
            && rules.is_empty()
    }

    /// Finds what each setting alone cannot show.
    fn check_together(&self, has_directory: bool, problems: &mut Vec<Problem>) {
        let mut missing = |what: String| {
            if !has_directory {
                problems.push(Problem::NoDirectory { what });
            }
        };
        if self.signal.is_some() {
            missing(Name::Signal.variable().to_owned());
        }
        let writes = |rule: &&Spec| {
            let writes = |action: &Action| matches!(action, Action::Report(_) | Action::Dump);
            rule.actions.is_empty() || rule.actions.iter().any(writes)
        };
        for rule in self.rules.iter().filter(writes) {
            missing(format!(
                "rule `{}` of {}",
                rule.name,
                Name::Rules.variable()
            ));
        }
        if cfg!(not(feature = "log")) {
            let logs = |rule: &&Spec| rule.actions.contains(&Action::Log);
            let without = |rule: &Spec| Problem::NoLog {
                rule: rule.name.clone(),
            };
            problems.extend(self.rules.iter().filter(logs).map(without));
        }
    }
}

/// Reads one setting after the other, and keeps what is wrong.
struct Reader<T> {
    text: T,
    problems: Vec<Problem>,
}

impl<'a, T: Fn(Name) -> Option<&'a OsStr>> Reader<T> {
    fn read<V>(&mut self, name: Name, read: impl FnOnce(&str) -> Result<V, String>) -> Option<V> {
        let text = self.text_of(name)?;
        match read(text.trim()) {
            Ok(value) => Some(value),
            Err(reason) => {
                self.problems.push(Problem::Malformed {
                    variable: name.variable(),
                    value: text.to_owned(),
                    reason,
                });
                None
            }
        }
    }

    fn text_of(&mut self, name: Name) -> Option<&'a str> {
        let text = (self.text)(name)?;
        if text.to_str().is_none() {
            let variable = name.variable();
            self.problems.push(Problem::NotUnicode { variable });
        }
        text.to_str()
    }
}

fn on_or_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("expected `on` or `off`".to_owned()),
    }
}

fn interval(text: &str) -> Result<Sampling, String> {
    match text {
        "every" => Ok(Sampling::EveryBlock),
        "off" => Ok(Sampling::Off),
        _ => match amount::interval(text) {
            Ok(1) => Ok(Sampling::EveryBlock),
            Ok(interval) => Ok(Sampling::Bytes { interval }),
            Err(amount::AmountError::NotANumber { .. }) => {
                Err("expected a size such as 512KiB, `every` or `off`".to_owned())
            }
            Err(error) => Err(error.to_string()),
        },
    }
}

/// A directory, and what follows after commas.
fn reports(text: &str) -> Result<Reports, String> {
    let mut parts = text.split(',').map(str::trim);
    let directory = parts.next().unwrap_or_default();
    if directory.is_empty() {
        return Err("expected a directory before the first comma".to_owned());
    }
    let mut reports = Reports::in_dir(Path::new(directory));
    for part in parts {
        reports = match part
            .split_once('=')
            .map(|(key, value)| (key.trim(), value.trim()))
        {
            Some(("keep", number)) => {
                let number = amount::times(number).map_err(|error| format!("keep: {error}"))?;
                reports.keep(usize::try_from(number).unwrap_or(usize::MAX))
            }
            Some(("max", bytes)) => {
                reports.max_bytes(amount::bytes(bytes).map_err(|error| format!("max: {error}"))?)
            }
            _ => match part.parse() {
                Ok(format) => reports.format(format),
                Err(_) => {
                    let formats = list(Format::ALL.iter().map(|format| format.name()), "or");
                    return Err(format!(
                        "after the directory expected a format ({formats}), `keep=` and a number, or `max=` and a size, \
                         found {}",
                        super::words::quoted(part)
                    ));
                }
            },
        };
    }
    Ok(reports)
}

fn unknown_variable(name: &OsStr) -> Problem {
    let name = name.to_string_lossy().into_owned();
    let known = Name::ALL.iter().map(|(_, known)| *known);
    let did_you_mean = nearest(&name, known.chain(ELSEWHERE));
    Problem::Unknown { name, did_you_mean }
}

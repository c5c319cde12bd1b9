//! What is wrong with a text of rules, and where.

use std::error::Error;
use std::fmt::{self, Display, Formatter};

use crate::control::words::{quoted, visible};

/// A text that is no list of rules: says what is wrong, and points to it.
///
/// ```
/// use unkai_watch::control::{EnvError, Problem, Settings};
///
/// let Err(EnvError::Invalid(problems)) = Settings::new().rules("big: live > 2Gib -> log").check() else {
///     panic!("there is no such unit");
/// };
/// let [Problem::Rules(error), ..] = &problems[..] else {
///     panic!("the rules are wrong");
/// };
/// assert_eq!(error.column(), 13);
/// assert_eq!(
///     error.to_string(),
///     "column 13: there is no unit `Gib` here: use B, KiB, MiB, GiB, TiB, kB, MB, GB or TB
///     big: live > 2Gib -> log
///                 ^^^^"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesError {
    // On its own, so that an error is no burden where there is none.
    place: Box<Place>,
    problem: RulesProblem,
}

/// Where something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    line: usize,
    column: usize,
    /// The part of the text that is shown.
    shown: String,
    /// Characters of it before the carets, and carets.
    carets: (usize, usize),
}

/// What is wrong with a text of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RulesProblem {
    /// Something else should stand here.
    Expected {
        /// What should.
        expected: String,
        /// What does; empty at the end of the text.
        found: String,
    },
    /// A word that nothing is called by.
    UnknownWord {
        /// What it should name: a quantity, an action, a format or an option.
        kind: &'static str,
        /// The word.
        word: String,
        /// The word that was probably meant.
        did_you_mean: Option<&'static str>,
        /// The words there are.
        allowed: String,
    },
    /// A size, time, share or number that makes no sense.
    BadAmount {
        /// Why, as a sentence.
        reason: String,
    },
    /// The value of `clear` lies on the wrong side of the threshold.
    NeverClears {
        /// Whether the rule fires when the quantity rises.
        rises: bool,
    },
    /// An option or action that the rule has already.
    Twice {
        /// Its word.
        word: String,
    },
    /// A name of more than 64 letters.
    NameTooLong,
    /// A name that another rule has.
    NameTaken {
        /// The name.
        name: String,
    },
}

impl RulesError {
    pub(super) fn new(text: &str, at: usize, piece: &str, problem: RulesProblem) -> Self {
        let before = &text[..at];
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        let column = before[line_start..].chars().count();
        // A long line is shown around the place only.
        let from = column.saturating_sub(SHOWN_BEFORE);
        let line = text[line_start..].lines().next().unwrap_or_default();
        let shown: String = line.chars().skip(from).take(SHOWN).map(visible).collect();
        let room = SHOWN.saturating_sub(column - from);
        let carets = piece.lines().next().unwrap_or_default().chars().count();
        let place = Place {
            line: before.matches('\n').count() + 1,
            column: column + 1,
            shown,
            carets: (column - from, carets.clamp(1, room.max(1))),
        };
        Self {
            place: Box::new(place),
            problem,
        }
    }

    /// The line of the place, from 1.
    pub fn line(&self) -> usize {
        self.place.line
    }

    /// The column of the place, in characters, from 1.
    pub fn column(&self) -> usize {
        self.place.column
    }

    /// What is wrong there.
    pub fn problem(&self) -> &RulesProblem {
        &self.problem
    }
}

impl Display for RulesError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Place {
            line,
            column,
            shown,
            carets: (before, carets),
        } = &*self.place;
        if *line > 1 {
            write!(f, "line {line}, ")?;
        }
        writeln!(f, "column {column}: {}", self.problem)?;
        writeln!(f, "    {}", shown.trim_end())?;
        write!(f, "    {}{}", " ".repeat(*before), "^".repeat(*carets))
    }
}

impl Error for RulesError {}

impl Display for RulesProblem {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expected { expected, found } if found.is_empty() => {
                write!(f, "expected {expected}, but the text ends")
            }
            Self::Expected { expected, found } => {
                write!(f, "expected {expected}, found {}", quoted(found))
            }
            Self::UnknownWord {
                kind,
                word,
                did_you_mean,
                allowed,
            } => {
                write!(f, "there is no {kind} {}", quoted(word))?;
                if let Some(meant) = did_you_mean {
                    write!(f, ", did you mean `{meant}`?")?;
                }
                write!(f, " (one of {allowed})")
            }
            Self::BadAmount { reason } => f.write_str(reason),
            Self::NeverClears { rises: true } => {
                f.write_str("`clear` must be below the threshold: the rule fires again after it")
            }
            Self::NeverClears { rises: false } => {
                f.write_str("`clear` must be above the threshold: the rule fires again after it")
            }
            Self::Twice { word } => write!(f, "{} is stated twice", quoted(word)),
            Self::NameTooLong => f.write_str("a name has 64 letters at most"),
            Self::NameTaken { name } => write!(f, "another rule is called {} too", quoted(name)),
        }
    }
}

/// Characters of a line that are shown, and those of them before the place.
const SHOWN: usize = 100;
const SHOWN_BEFORE: usize = 60;

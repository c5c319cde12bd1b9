//! Why a watcher cannot start.

use std::time::Duration;
use std::{error, fmt, io};

/// Why [`Watcher::start`](crate::Watcher::start) has not started anything.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// Nothing of this process allocates through `UnkaiGlobalAlloc`.
    NoProfile,
    /// A watcher runs already: a process has one.
    Running,
    /// The time between two ticks is shorter than a millisecond.
    EveryTooShort(Duration),
    /// A rule's name cannot be a part of the name of a file.
    Name(String),
    /// Two rules have this name.
    DuplicateName(String),
    /// A rule makes no sense.
    Rule {
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: RuleProblem,
    },
    /// The system has refused a thread.
    Thread(io::Error),
}

/// What is wrong with a rule.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum RuleProblem {
    /// The threshold is not a number, or infinite.
    ThresholdNotFinite,
    /// The quantity is always at the threshold (it rises to 0), or never (it falls below 0).
    ThresholdOutOfRange(f64),
    /// A share that is never reached: it is written as 0.9, not as 90.
    ShareTooLarge(f64),
    /// `clear_at` is not a number, infinite, or beyond the threshold.
    ClearAt(f64),
    /// The window is zero.
    ZeroWindow,
    /// The window is shorter than the time between two ticks.
    WindowShorterThanTick {
        /// The rule's.
        window: Duration,
        /// The watcher's.
        every: Duration,
    },
    /// `at_most(0)`: it could never fire.
    NeverFires,
    /// The interval of `look_closer` is 0, or above [`MAX_INTERVAL`](unkai_core::MAX_INTERVAL).
    Interval(u64),
    /// `look_closer` for no time at all.
    NoTime,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProfile => f.write_str(
                "nothing to watch: make UnkaiGlobalAlloc the program's #[global_allocator]",
            ),
            Self::Running => f.write_str(
                "a watcher runs already: give it all rules, or stop it before another is started",
            ),
            Self::EveryTooShort(every) => {
                write!(f, "a tick every {every:?} is too often: 1 ms is the least")
            }
            Self::Name(name) => write!(
                f,
                "{name:?} cannot be the name of a rule: 1 to 64 letters, digits, '-', '_' and '.', with no '.' at the \
                 beginning"
            ),
            Self::DuplicateName(name) => {
                write!(
                    f,
                    "two rules are named {name:?}: give each a name of its own"
                )
            }
            Self::Rule { name, problem } => write!(f, "rule {name:?}: {problem}"),
            Self::Thread(_) => f.write_str("the system has refused a thread for the watcher"),
        }
    }
}

impl error::Error for StartError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Thread(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for RuleProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ThresholdNotFinite => f.write_str("the threshold must be a finite number"),
            Self::ThresholdOutOfRange(threshold) => write!(
                f,
                "a threshold of {threshold} says nothing: one that is risen to is above 0, one that is fallen to is 0 or more"
            ),
            Self::ShareTooLarge(threshold) => write!(
                f,
                "a share of {threshold} is never reached: write 0.9 for 90 %"
            ),
            Self::ClearAt(value) => write!(
                f,
                "clear_at {value} is on the wrong side: a rule that rises is clear at or below its threshold, one that falls \
                 at or above"
            ),
            Self::ZeroWindow => f.write_str("a window must be longer than zero"),
            Self::WindowShorterThanTick { window, every } => write!(
                f,
                "a window of {window:?} is shorter than the time between two ticks, {every:?}: lengthen it, or let the \
                 watcher look more often with Watcher::every"
            ),
            Self::NeverFires => f.write_str("at_most(0) never fires: leave the rule out instead"),
            Self::Interval(interval) => write!(
                f,
                "a sampling interval of {interval} bytes cannot be: between 1 and 2^36 is possible"
            ),
            Self::NoTime => f.write_str("to look closer for no time at all does nothing"),
        }
    }
}

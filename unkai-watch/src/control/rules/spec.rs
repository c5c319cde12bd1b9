//! What a rule says: plain values, and the text that says the same.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use crate::Format;
use crate::control::amount::{show_bytes, show_time};

/// A rule as it was typed, with its name.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::control) struct Spec {
    pub(in crate::control) name: String,
    pub(in crate::control) measure: Measure,
    pub(in crate::control) rises: bool,
    pub(in crate::control) threshold: Value,
    pub(in crate::control) clear: Option<Value>,
    pub(in crate::control) cool_down: Option<Duration>,
    pub(in crate::control) at_most: Option<u64>,
    /// Empty if none was stated.
    pub(in crate::control) actions: Vec<Action>,
}

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::control) enum Measure {
    Live,
    Rss,
    Share,
    Limit,
    Site,
    Growth { window: Duration },
    Rate { window: Duration },
}

/// What it is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::control) enum Value {
    Bytes(u64),
    BytesPerSecond(u64),
    Percent(f64),
}

/// What is done.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::control) enum Action {
    Report(Option<Format>),
    Dump,
    Log,
    Closer { interval: u64, time: Duration },
}

/// The kinds of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Bytes,
    BytesPerSecond,
    Percent,
    /// More than all of it is possible.
    ManyPercent,
}

impl Measure {
    /// The word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Rss => "rss",
            Self::Share => "share",
            Self::Limit => "limit",
            Self::Site => "site",
            Self::Growth { .. } => "growth",
            Self::Rate { .. } => "rate",
        }
    }

    /// How far back it looks.
    pub(in crate::control) fn window(self) -> Option<Duration> {
        match self {
            Self::Growth { window } | Self::Rate { window } => Some(window),
            _ => None,
        }
    }

    pub(super) fn unit(self) -> Unit {
        match self {
            Self::Live | Self::Rss | Self::Site | Self::Growth { .. } => Unit::Bytes,
            Self::Share => Unit::Percent,
            Self::Limit => Unit::ManyPercent,
            Self::Rate { .. } => Unit::BytesPerSecond,
        }
    }
}

impl Value {
    /// The number alone: bytes, bytes in a second, or a share of 1.
    pub(in crate::control) fn number(self) -> f64 {
        match self {
            Self::Bytes(bytes) | Self::BytesPerSecond(bytes) => bytes as f64,
            Self::Percent(percent) => percent / 100.0,
        }
    }
}

impl Display for Spec {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let sign = if self.rises { '>' } else { '<' };
        write!(
            f,
            "{}: {} {sign} {}",
            self.name, self.measure, self.threshold
        )?;
        if let Some(clear) = self.clear {
            write!(f, " clear {clear}")?;
        }
        if let Some(time) = self.cool_down {
            write!(f, " cooldown {}", show_time(time))?;
        }
        if let Some(times) = self.at_most {
            write!(f, " max {times}")?;
        }
        for (index, action) in self.actions.iter().enumerate() {
            let before = if index == 0 { " -> " } else { ", " };
            write!(f, "{before}{action}")?;
        }
        Ok(())
    }
}

impl Display for Measure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())?;
        match self.window() {
            Some(window) => write!(f, "({})", show_time(window)),
            None => Ok(()),
        }
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => f.write_str(&show_bytes(*bytes)),
            Self::BytesPerSecond(bytes) => write!(f, "{}/s", show_bytes(*bytes)),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl Display for Action {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Report(None) => f.write_str("report"),
            Self::Report(Some(format)) => write!(f, "report({format})"),
            Self::Dump => f.write_str("dump"),
            Self::Log => f.write_str("log"),
            Self::Closer { interval, time } => {
                write!(f, "closer({}, {})", show_bytes(*interval), show_time(*time))
            }
        }
    }
}

//! One scenario, and how a process that plays it ends.

use std::fmt;
use std::str::FromStr;

use crate::heap::Heap;

/// What one process does.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// By which it is called on the command line.
    pub name: &'static str,
    /// Plays it; panics where something is wrong.
    pub play: fn(&'static dyn Heap),
    /// How the process ends if all is well.
    pub ends: Ends,
}

impl Scenario {
    /// One after which the process ends by returning from `main`.
    pub const fn new(name: &'static str, play: fn(&'static dyn Heap)) -> Self {
        Self {
            name,
            play,
            ends: Ends::Well,
        }
    }

    /// One that ends its process by this signal.
    pub const fn ends_by(self, signal: i32) -> Self {
        Self {
            ends: Ends::By(signal),
            ..self
        }
    }
}

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// With status 0.
    Well,
    /// By a signal.
    By(i32),
}

impl fmt::Display for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Well => f.write_str("well"),
            Self::By(signal) => write!(f, "{signal}"),
        }
    }
}

impl FromStr for Ends {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "well" => Ok(Self::Well),
            signal => signal.parse().map(Self::By),
        }
    }
}

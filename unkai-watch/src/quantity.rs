//! What a rule looks at.

use std::fmt;
use std::time::Duration;

use unkai_core::Scope;
use unkai_report::units;

use crate::condition::{Condition, Direction};

/// A number that a rule looks at.
///
/// [`rises_to`](Self::rises_to) and [`falls_to`](Self::falls_to) make a [`Condition`] of it.
///
/// ```
/// use unkai_watch::Quantity;
///
/// let large = Quantity::LiveBytes.rises_to(2 << 30);
/// assert_eq!(large.to_string(), "live bytes rise to 2.00 GiB");
/// let tight = Quantity::ShareOfLimit.rises_to(0.9);
/// assert_eq!(tight.to_string(), "share of the memory limit rises to 90.0 %");
/// ```
///
/// | quantity | unit | one reading costs | between two ticks |
/// |---|---|---|---|
/// | `LiveBytes` | bytes | some ns for each thread | the alarm watches |
/// | `ResidentBytes` | bytes | 1 to 2 µs | the alarm watches what the heap adds |
/// | `ShareOfLimit` | 0 to 1 | some µs for each limit | the alarm watches what the heap adds |
/// | `Growth` | bytes | as `LiveBytes` | the alarm watches |
/// | `LargestSiteBytes` | bytes | some ns for each call stack | the alarm watches |
/// | `ScopeBytes` | bytes | [`Scope::used`] | the alarm watches what the profiled heap adds |
/// | `ShareOfProcessLimit` | 0 and up | as `LiveBytes` | the alarm watches |
/// | `AllocationRate` | bytes/s | as `LiveBytes` | nobody watches |
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Quantity {
    /// Bytes that the program has allocated and not freed: exact.
    LiveBytes,
    /// Bytes of the process in physical memory (its RSS). Linux only.
    ResidentBytes,
    /// How much of the memory that the process may have is taken: 0 to 1. Of several limits that hold for it, the one of
    /// which most is taken: those of its control groups, the machine's memory, `RLIMIT_AS`. Linux only.
    ShareOfLimit,
    /// Live bytes, above their lowest reading within the last `window`.
    Growth {
        /// How far back it looks; not less than the time between two ticks.
        window: Duration,
    },
    /// The most live bytes that any one call stack holds: an estimate from samples.
    LargestSiteBytes,
    /// Bytes used in a scope and in those below it. The rule keeps the scope alive.
    ScopeBytes(Scope),
    /// Bytes allocated each second, on average over the last `window`. Not judged before the first window is over.
    AllocationRate {
        /// How long the average is taken over; not less than the time between two ticks.
        window: Duration,
    },
    /// Live bytes as a share of the process's own limit, [`Config::limit`](unkai_core::Config::limit): may exceed 1. Not
    /// judged while there is no limit.
    ShareOfProcessLimit,
}

/// What a value is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// A share: 1 is all of it.
    Share,
    /// Bytes each second.
    BytesPerSecond,
}

/// A number in a [`Condition`]: a `u64` for bytes, a `f64` for anything.
pub trait Threshold: private::Sealed {
    /// As the number that is compared.
    #[doc(hidden)]
    fn number(self) -> f64;
}

impl Threshold for u64 {
    fn number(self) -> f64 {
        self as f64
    }
}

impl Threshold for f64 {
    fn number(self) -> f64 {
        self
    }
}

mod private {
    pub trait Sealed {}
    impl Sealed for u64 {}
    impl Sealed for f64 {}
}

impl Quantity {
    /// Holds when the quantity is at `threshold` or above; from the start on, if it is there already.
    pub fn rises_to(self, threshold: impl Threshold) -> Condition {
        Condition::crossing(self, Direction::Rising, threshold.number())
    }

    /// Holds when the quantity is at `threshold` or below, after it was above.
    pub fn falls_to(self, threshold: impl Threshold) -> Condition {
        Condition::crossing(self, Direction::Falling, threshold.number())
    }

    /// What it is measured in.
    pub const fn unit(&self) -> Unit {
        match self {
            Self::ShareOfLimit | Self::ShareOfProcessLimit => Unit::Share,
            Self::AllocationRate { .. } => Unit::BytesPerSecond,
            _ => Unit::Bytes,
        }
    }

    /// The window, for one that looks back.
    pub(crate) const fn window(&self) -> Option<Duration> {
        match self {
            Self::Growth { window } | Self::AllocationRate { window } => Some(*window),
            _ => None,
        }
    }

    /// Whether its name is a plural.
    pub(crate) const fn is_plural(&self) -> bool {
        !matches!(
            self,
            Self::ShareOfLimit
                | Self::ShareOfProcessLimit
                | Self::Growth { .. }
                | Self::AllocationRate { .. }
        )
    }

    /// A larger share is a slip of the pen: 90 for 90 %.
    pub(crate) const fn largest_share(&self) -> f64 {
        match self {
            // Where requests are granted at the limit, live bytes can exceed it.
            Self::ShareOfProcessLimit => 10.0,
            _ => 1.0,
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LiveBytes => f.write_str("live bytes"),
            Self::ResidentBytes => f.write_str("resident bytes"),
            Self::ShareOfLimit => f.write_str("share of the memory limit"),
            Self::Growth { window } => {
                write!(f, "growth within {}", units::duration(*window))
            }
            Self::LargestSiteBytes => f.write_str("live bytes of the largest site"),
            Self::ScopeBytes(scope) => write!(f, "bytes of scope {}", scope.path()),
            Self::AllocationRate { window } => {
                write!(f, "allocation rate over {}", units::duration(*window))
            }
            Self::ShareOfProcessLimit => f.write_str("share of the process's own limit"),
        }
    }
}

impl Unit {
    /// `value` in words for people: `2.00 GiB`, `91.2 %`, `1.50 MiB/s`.
    ///
    /// ```
    /// use unkai_watch::Unit;
    ///
    /// assert_eq!(Unit::Share.show(0.912), "91.2 %");
    /// assert_eq!(Unit::BytesPerSecond.show(1_572_864.0), "1.50 MiB/s");
    /// ```
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Bytes => units::bytes(value),
            Self::Share => units::share(value, 1.0),
            Self::BytesPerSecond => format!("{}/s", units::bytes(value)),
        }
    }
}

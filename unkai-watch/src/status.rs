//! How the watcher and its rules are doing.

use std::time::SystemTime;

use crate::limit::Limit;

/// How the watcher and its rules are doing: see [`Watching::status`](crate::Watching::status). As text it is for people.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// Each rule, in the order in which they were given.
    pub rules: Vec<RuleStatus>,
    /// How often the watcher has looked.
    pub ticks: u64,
    /// How many of them were because live bytes had come near a threshold.
    pub alarms: u64,
    /// The limit of which most is taken, if a rule looks at limits.
    pub limit: Option<Limit>,
    /// What was missing when limits were searched for, in sentences.
    pub notes: Vec<String>,
    /// The bytes between two samples while it looks closer.
    pub looking_closer: Option<u64>,
}

/// How one rule is doing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RuleStatus {
    /// Its name.
    pub name: String,
    /// Its condition, in words.
    pub condition: String,
    /// The last reading, in the unit of its quantity.
    pub value: Option<f64>,
    /// Why the rule is not judged, if it is not.
    pub unread: Option<String>,
    /// How often it has fired.
    pub fired: u64,
    /// When it has fired last.
    pub last_fired: Option<SystemTime>,
    /// Crossings that were over before the cool-down was.
    pub suppressed_by_cool_down: u64,
    /// Crossings after it had fired as often as it may.
    pub suppressed_by_cap: u64,
    /// Firings whose actions were left out, because those of an earlier one were still running.
    pub skipped: u64,
    /// Callbacks that panicked.
    pub panics: u64,
    /// Actions that failed, with the last error of each kind.
    pub failures: Vec<Failures>,
}

/// Failures of one kind of action.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failures {
    /// What failed: `report`, `dump`, `callback`, `look closer`.
    pub action: &'static str,
    /// How often.
    pub count: u64,
    /// What the last failure said.
    pub last_error: String,
}

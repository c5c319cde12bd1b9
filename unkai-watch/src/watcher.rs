//! The thread that looks, judges and acts.

use std::time::Duration;

use crate::error::StartError;
use crate::rule::Rule;
use crate::status::Status;

/// Watches the process by rules, on a thread of its own.
#[derive(Debug)]
#[must_use = "a watcher does nothing until it is started"]
pub struct Watcher {
    every: Duration,
    rules: Vec<Rule>,
}

/// A watcher that runs.
#[derive(Debug)]
pub struct Watching {}

impl Watcher {
    /// One without rules, which looks once a second.
    pub const fn new() -> Self {
        Self {
            every: Duration::from_secs(1),
            rules: Vec::new(),
        }
    }

    /// The time between two ticks. Default: one second; at least a millisecond.
    pub const fn every(mut self, time: Duration) -> Self {
        self.every = time;
        self
    }

    /// Adds a rule.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Starts the thread.
    ///
    /// # Errors
    /// If nothing is profiled, a watcher runs already, a rule makes no sense, or the system refuses a thread.
    pub fn start(self) -> Result<Watching, StartError> {
        Err(StartError::NoProfile)
    }
}

impl Default for Watcher {
    fn default() -> Self {
        Self::new()
    }
}

impl Watching {
    /// How it is doing.
    pub fn status(&self) -> Status {
        todo!()
    }

    /// Looks now instead of at the next tick.
    pub fn wake(&self) {
        unkai_core::process::wake();
    }

    /// Ends the thread.
    pub fn stop(self) {}
}

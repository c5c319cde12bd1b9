//! What a user states: a condition, and what to do when it holds.

use std::fmt;
use std::time::Duration;

use crate::condition::{Condition, Kind};
use crate::dump::Dump;
use crate::event::Event;
use crate::quantity::Threshold;
use crate::reports::Reports;

/// A condition, and what to do when it holds.
///
/// [`dump`](Self::dump) and [`look_closer`](Self::look_closer) are done at once, on the watcher's thread, in this order.
/// The other actions follow in the order in which they were added, on a thread that the rule has for itself.
///
/// ```
/// use std::time::Duration;
/// use unkai_watch::{Quantity, Rule};
///
/// let rule = Rule::new("large", Quantity::LiveBytes.rises_to(2 << 30))
///     .clear_at(1 << 30)
///     .cool_down(Duration::from_secs(600))
///     .look_closer(64 << 10, Duration::from_secs(60))
///     .call(|event| eprintln!("{event}"));
/// # let _ = rule;
/// ```
#[must_use = "a rule does nothing until a Watcher is started with it"]
pub struct Rule {
    pub(crate) name: String,
    pub(crate) condition: Condition,
    pub(crate) clear_at: Option<f64>,
    pub(crate) cool_down: Duration,
    pub(crate) at_most: u64,
    pub(crate) look: Option<Look>,
    pub(crate) dumps: Vec<Dump>,
    pub(crate) actions: Vec<Action>,
}

/// Samples one block every `interval` bytes for as long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) interval: u64,
    pub(crate) lasts: Duration,
}

/// What the rule's own thread does.
pub(crate) enum Action {
    Report {
        reports: Reports,
        /// Whether a failure is told on standard error: to an operator who has no other ear.
        complains: bool,
    },
    #[cfg(feature = "log")]
    Log,
    Call(Box<dyn FnMut(&Event) + Send>),
}

impl Rule {
    /// A rule that does nothing yet but count how often it fires.
    ///
    /// The name stands in events, in the status and in the names of files. Letters, digits, `-`, `_` and `.`, 64 at most,
    /// no `.` at the beginning: anything else is refused at the start.
    pub fn new(name: impl Into<String>, condition: Condition) -> Self {
        let cool_down = match &condition.kind {
            Kind::Crossing { .. } => Duration::from_secs(10),
            Kind::Pulled(_) => Duration::ZERO,
        };
        Self {
            name: name.into(),
            condition,
            clear_at: None,
            cool_down,
            at_most: u64::MAX,
            look: None,
            dumps: Vec::new(),
            actions: Vec::new(),
        }
    }

    /// The rule fires again only after the quantity was back here. Default: 5 % of the threshold away from it, below for
    /// one that rises, above for one that falls.
    pub fn clear_at(mut self, value: impl Threshold) -> Self {
        self.clear_at = Some(value.number());
        self
    }

    /// The least time between two firings. Default: 10 s, and none for a [`Trigger`](crate::Trigger).
    ///
    /// A crossing in between is not forgotten: the rule fires when the time is over, if the quantity is still beyond the
    /// threshold then.
    pub fn cool_down(mut self, time: Duration) -> Self {
        self.cool_down = time;
        self
    }

    /// Fires so many times and no more. Default: no such cap.
    pub fn at_most(mut self, times: u64) -> Self {
        self.at_most = times;
        self
    }

    /// Samples one block every `interval_bytes` on average for the time `lasts`, then as before. 1 samples every block.
    ///
    /// Never makes sampling sparser: if it is denser already, it stays. Of several at once, the densest holds. If the
    /// program changes the sampling meanwhile, that holds, and what was begun here is over. Sampling that was off is
    /// turned on. Sampling by blocks ([`Config::sample_one_in`](unkai_core::Config::sample_one_in)) stays as it is:
    /// neither is denser than the other.
    pub fn look_closer(mut self, interval_bytes: u64, lasts: Duration) -> Self {
        self.look = Some(Look {
            interval: interval_bytes,
            lasts,
        });
        self
    }

    /// Writes a report of the whole profile, with names, on the rule's own thread.
    ///
    /// Costs what [`Report::new`](unkai_report::Report::new) costs: up to some seconds of one core, and memory for a while.
    /// With several reports of one rule, the profile is taken and named once.
    pub fn report(mut self, reports: Reports) -> Self {
        let complains = false;
        self.actions.push(Action::Report { reports, complains });
        self
    }

    /// [`report`](Self::report), and a line on standard error if that fails.
    pub(crate) fn report_or_complain(mut self, reports: Reports) -> Self {
        let complains = true;
        self.actions.push(Action::Report { reports, complains });
        self
    }

    /// Writes a dump, at once, on the watcher's thread: for when memory is nearly gone. Allocates nothing.
    pub fn dump(mut self, dump: Dump) -> Self {
        self.dumps.push(dump);
        self
    }

    /// Says what happened to the `log` crate, as a warning with the target `unkai`.
    #[cfg(feature = "log")]
    pub fn log(mut self) -> Self {
        self.actions.push(Action::Log);
        self
    }

    /// Calls `callback`, on a thread that this rule has for itself.
    ///
    /// While it runs, one more event waits; further ones are counted as skipped. A panic is caught and counted. What
    /// it allocates is the program's.
    pub fn call(mut self, callback: impl FnMut(&Event) + Send + 'static) -> Self {
        self.actions.push(Action::Call(Box::new(callback)));
        self
    }

    /// The rule's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule")
            .field("name", &self.name)
            .field("condition", &self.condition)
            .field("clear_at", &self.clear_at)
            .field("cool_down", &self.cool_down)
            .field("at_most", &self.at_most)
            .field("look", &self.look)
            .field("dumps", &self.dumps)
            .field("actions", &self.actions)
            .finish()
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Report { .. } => "Report",
            #[cfg(feature = "log")]
            Self::Log => "Log",
            Self::Call(_) => "Call",
        })
    }
}

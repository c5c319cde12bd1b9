//! How the watcher and its rules are doing.

use std::fmt;
use std::time::SystemTime;

use unkai_report::units;

use crate::limit::Limit;
use crate::quantity::Unit;

/// How the watcher and its rules are doing: see [`Watching::status`](crate::Watching::status). As text it is for people.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// Whether the watcher's thread runs.
    pub running: bool,
    /// Each rule, in the order in which they were given.
    pub rules: Vec<RuleStatus>,
    /// How often the watcher has looked.
    pub ticks: u64,
    /// How many of these looks came from the alarm, because live bytes were near a threshold.
    pub alarms: u64,
    /// The limit of which most is taken, if a rule looks at limits.
    pub limit: Option<Limit>,
    /// What was missing when limits were searched for, in sentences.
    pub notes: Vec<String>,
    /// The mean bytes between two samples, while a rule looks closer.
    pub looking_closer: Option<u64>,
    /// What the reclaimers did, if there are any.
    pub reclaim: Option<ReclaimStatus>,
}

/// How one rule is doing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RuleStatus {
    /// Its name.
    pub name: String,
    /// Its condition, in words: `live bytes rise to 2.00 GiB`.
    pub condition: String,
    /// The last reading, in the unit of its quantity.
    pub value: Option<f64>,
    /// The unit of the reading; `None` for a trigger.
    pub unit: Option<Unit>,
    /// Why the rule is not judged now, if it is not.
    pub unread: Option<String>,
    /// How often it has fired.
    pub fired: u64,
    /// When it has fired last.
    pub last_fired: Option<SystemTime>,
    /// Crossings that were over before the cool-down was.
    pub suppressed_by_cool_down: u64,
    /// Crossings after it had fired as often as it may.
    pub suppressed_by_cap: u64,
    /// Events for which nothing was done, because earlier ones were still being worked on.
    pub skipped: u64,
    /// What was done, and what failed; kinds of actions of which there was none are left out.
    pub actions: Vec<ActionStatus>,
}

/// What came of one kind of action of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActionStatus {
    /// `dump`, `report`, `log` or `callback`.
    pub action: &'static str,
    /// How often it was done.
    pub done: u64,
    /// How often it failed; for a callback or a logger: how often it panicked.
    pub failed: u64,
    /// What the last failure said.
    pub last_error: Option<String>,
}

/// What reclaimers did at the process's limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReclaimStatus {
    /// How often they were asked.
    pub asked: u64,
    /// What they say they have freed, in bytes.
    pub freed_bytes: u64,
    /// How often one panicked.
    pub panics: u64,
    /// What the last panic said.
    pub last_panic: Option<String>,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.running { "watching" } else { "stopped" };
        let rules = match self.rules.len() {
            1 => "1 rule".to_owned(),
            number => format!("{number} rules"),
        };
        let (looked, alarms) = (times(self.ticks), times(self.alarms));
        writeln!(
            f,
            "{state}: {rules}, looked {looked}, {alarms} woken by the alarm"
        )?;
        if let Some(limit) = &self.limit {
            writeln!(
                f,
                "memory limit: {limit}, {}",
                units::share(limit.share(), 1.0)
            )?;
        }
        if let Some(bytes) = self.looking_closer {
            writeln!(
                f,
                "looking closer: a sample every {}",
                units::bytes(bytes as f64)
            )?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        for rule in &self.rules {
            write!(f, "{rule}")?;
        }
        if let Some(reclaim) = &self.reclaim {
            writeln!(
                f,
                "reclaimers: asked {}, {} freed",
                times(reclaim.asked),
                units::bytes(reclaim.freed_bytes as f64)
            )?;
            if let Some(words) = &reclaim.last_panic {
                writeln!(f, "  panicked {}, last: {words}", times(reclaim.panics))?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for RuleStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.condition)?;
        match (self.unit, self.value) {
            (Some(unit), Some(value)) => writeln!(f, "; now {}", unit.show(value))?,
            _ => writeln!(f)?,
        }
        if let Some(reason) = &self.unread {
            writeln!(f, "  not judged: {reason}")?;
        }
        match self.last_fired {
            None => writeln!(f, "  never fired")?,
            Some(at) => writeln!(
                f,
                "  fired {}, last at {}",
                times(self.fired),
                units::moment(at)
            )?,
        }
        for (number, why) in [
            (
                self.suppressed_by_cool_down,
                "crossings were over before the cool-down",
            ),
            (
                self.suppressed_by_cap,
                "crossings came after the last firing it may have",
            ),
            (self.skipped, "events found the rule's thread still busy"),
        ] {
            if number > 0 {
                writeln!(f, "  {} {why}", units::digits(number))?;
            }
        }
        for action in &self.actions {
            write!(
                f,
                "  {}: {} done",
                action.action,
                units::digits(action.done)
            )?;
            if let Some(error) = &action.last_error {
                write!(
                    f,
                    ", {} failed, last: {error}",
                    units::digits(action.failed)
                )?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// `never`, `once`, `2 times`.
fn times(number: u64) -> String {
    match number {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        _ => format!("{} times", units::digits(number)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::limit::LimitKind;

    #[test]
    fn people_read_it() {
        let rule = RuleStatus {
            name: "near-limit".into(),
            condition: "share of the memory limit rises to 90.0 %".into(),
            value: Some(0.918),
            unit: Some(Unit::Share),
            unread: None,
            fired: 2,
            last_fired: Some(UNIX_EPOCH + Duration::from_secs(1_763_800_000)),
            suppressed_by_cool_down: 3,
            suppressed_by_cap: 0,
            skipped: 0,
            actions: vec![ActionStatus {
                action: "report",
                done: 1,
                failed: 1,
                last_error: Some("the disk is full".into()),
            }],
        };
        let idle = RuleStatus {
            name: "rate".into(),
            condition: "allocation rate over 10.0 s rises to 1.00 GiB/s".into(),
            value: None,
            unread: Some("its first window is not over".into()),
            fired: 0,
            last_fired: None,
            suppressed_by_cool_down: 0,
            actions: Vec::new(),
            ..rule.clone()
        };
        let status = Status {
            running: true,
            rules: vec![rule, idle],
            ticks: 1234,
            alarms: 1,
            limit: Some(Limit {
                kind: LimitKind::CgroupV2,
                bytes: 512 << 20,
                used_bytes: 470 << 20,
            }),
            notes: vec!["something is missing".into()],
            looking_closer: Some(65536),
            reclaim: Some(ReclaimStatus {
                asked: 1,
                freed_bytes: 3 << 20,
                panics: 2,
                last_panic: Some("no".into()),
            }),
        };
        let expected = "\
watching: 2 rules, looked 1,234 times, once woken by the alarm
memory limit: 470 MiB of 512 MiB of the control group (v2), 91.8 %
looking closer: a sample every 64.0 KiB
note: something is missing
near-limit: share of the memory limit rises to 90.0 %; now 91.8 %
  fired 2 times, last at 2025-11-22 08:26:40 UTC
  3 crossings were over before the cool-down
  report: 1 done, 1 failed, last: the disk is full
rate: allocation rate over 10.0 s rises to 1.00 GiB/s
  not judged: its first window is not over
  never fired
reclaimers: asked once, 3.00 MiB freed
  panicked 2 times, last: no
";
        assert_eq!(status.to_string(), expected);
    }
}

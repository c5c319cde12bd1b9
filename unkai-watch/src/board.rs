//! Where the watcher's thread says how it is doing, for whoever asks.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use unkai_core::process::Wake;

use crate::closer::Closer;
use crate::dump::DumpError;
use crate::judge::State;
use crate::limit::Limit;
use crate::readings::{Readout, Unread};
use crate::reclaim;
use crate::status::{ActionStatus, ReclaimStatus, RuleStatus, Status};
use crate::tick::Watched;
use crate::worker::{self, in_words};

/// What the watcher's thread shares with [`Watching`](crate::Watching).
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) stop: AtomicBool,
    pub(crate) plates: Vec<Plate>,
    /// What was missing at the start.
    pub(crate) notes: Vec<String>,
    pub(crate) reclaim: Option<Arc<reclaim::Desk>>,
    pub(crate) board: Mutex<Board>,
}

/// What stays the same of a rule.
#[derive(Debug)]
pub(crate) struct Plate {
    pub(crate) name: Arc<str>,
    pub(crate) condition: String,
    pub(crate) desk: Option<Arc<worker::Desk>>,
}

/// What changes with each tick. Nothing that blocks is done while it is locked.
#[derive(Debug)]
pub(crate) struct Board {
    ticks: u64,
    alarms: u64,
    limit: Option<Limit>,
    looking_closer: Option<u64>,
    lines: Vec<Line>,
}

/// What changes of a rule.
#[derive(Debug)]
struct Line {
    state: State,
    value: Option<f64>,
    unread: Option<Unread>,
    last_fired: Option<SystemTime>,
    dumped: u64,
    dumps_failed: u64,
    dump_error: Option<DumpError>,
}

impl Shared {
    pub(crate) fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn status(&self, running: bool) -> Status {
        let board = self.board();
        let rules = self.plates.iter().zip(&board.lines);
        Status {
            running,
            rules: rules.map(|(plate, line)| plate.status(line)).collect(),
            ticks: board.ticks,
            alarms: board.alarms,
            limit: board.limit,
            notes: self.notes.clone(),
            looking_closer: board.looking_closer,
            reclaim: self.reclaim.as_ref().map(|desk| {
                let outcomes = desk.outcomes();
                ReclaimStatus {
                    asked: outcomes.asked,
                    freed_bytes: outcomes.freed_bytes,
                    panics: outcomes.panics,
                    last_panic: outcomes.last_panic.clone(),
                }
            }),
        }
    }
}

impl Plate {
    fn status(&self, line: &Line) -> RuleStatus {
        let outcomes = self.desk.as_ref().map(|desk| desk.outcomes().clone());
        let outcomes = outcomes.unwrap_or_default();
        let action = |action, done, failed, last_error| ActionStatus {
            action,
            done,
            failed,
            last_error,
        };
        let dump_error = line.dump_error.as_ref().map(in_words);
        let (reports, callbacks) = (outcomes.reports, outcomes.callbacks);
        let actions = [
            action("dump", line.dumped, line.dumps_failed, dump_error),
            action("report", reports.done, reports.failed, reports.last_error),
            action(
                "callback",
                callbacks.done,
                callbacks.failed,
                callbacks.last_error,
            ),
        ];
        RuleStatus {
            name: self.name.to_string(),
            condition: self.condition.clone(),
            value: line.value,
            unread: line.unread.map(|unread| unread.to_string()),
            fired: line.state.fired,
            last_fired: line.last_fired,
            suppressed_by_cool_down: line.state.suppressed_by_cool_down,
            suppressed_by_cap: line.state.suppressed_by_cap,
            skipped: outcomes.skipped,
            actions: actions
                .into_iter()
                .filter(|action| action.done > 0 || action.failed > 0)
                .collect(),
        }
    }
}

impl Board {
    pub(crate) fn new(rules: &[Watched]) -> Self {
        let line = |rule: &Watched| Line {
            state: rule.state,
            value: None,
            unread: rule.condition.quantity().map(|_| Unread::NotYet),
            last_fired: None,
            dumped: 0,
            dumps_failed: 0,
            dump_error: None,
        };
        Self {
            ticks: 0,
            alarms: 0,
            limit: None,
            looking_closer: None,
            lines: rules.iter().map(line).collect(),
        }
    }

    /// Takes over what came of a tick. Allocates nothing.
    pub(crate) fn note(
        &mut self,
        wake: Wake,
        readout: &Readout,
        closer: &Closer,
        rules: &mut [Watched],
    ) {
        self.ticks += 1;
        self.alarms += u64::from(wake.alarm);
        self.limit = readout.limit;
        self.looking_closer = closer.interval();
        for (line, rule) in self.lines.iter_mut().zip(rules) {
            let last = &mut rule.last;
            line.state = rule.state;
            line.value = last.value;
            line.unread = last.unread;
            line.last_fired = last.fired;
            line.dumped = last.dumped;
            line.dumps_failed = last.dumps_failed;
            if let Some(error) = last.dump_error.take() {
                line.dump_error = Some(error);
            }
        }
    }
}

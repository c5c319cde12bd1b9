//! Where the watcher's thread says how it is doing, for whoever asks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use unkai_core::process::Wake;

use crate::closer::Closer;
use crate::dump::DumpError;
use crate::judge::State;
use crate::limit::Limit;
use crate::quantity::Unit;
use crate::readings::{Readout, Unread};
use crate::reclaim;
use crate::status::{ActionStatus, RuleStatus, Status};
use crate::tick::Watched;
use crate::worker::{self, Outcomes, Tally, in_words};

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

/// What stays the same of a rule, and what is made of its errors.
#[derive(Debug)]
pub(crate) struct Plate {
    pub(crate) name: Arc<str>,
    pub(crate) condition: String,
    pub(crate) unit: Option<Unit>,
    pub(crate) desk: Option<Arc<worker::Desk>>,
    /// The last error of a dump, once somebody has asked for it.
    pub(crate) dump_error: Mutex<Option<String>>,
}

/// What changes with each tick. Nothing that takes long or allocates is done while it is locked: the watcher's thread
/// must not wait.
#[derive(Debug)]
pub(crate) struct Board {
    looks: Looks,
    lines: Vec<Line>,
}

/// What changes of the watcher.
#[derive(Clone, Copy, Debug, Default)]
struct Looks {
    ticks: u64,
    alarms: u64,
    limit: Option<Limit>,
    closer: Option<u64>,
}

/// What changes of a rule.
#[derive(Debug)]
struct Line {
    figures: Figures,
    dump_error: Option<DumpError>,
}

/// How a rule is doing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    pub(crate) state: State,
    /// The last reading.
    pub(crate) value: Option<f64>,
    pub(crate) unread: Option<Unread>,
    pub(crate) last_fired: Option<SystemTime>,
    pub(crate) dumped: u64,
    pub(crate) dumps_failed: u64,
}

impl Figures {
    pub(crate) const fn new(state: State, unread: Option<Unread>) -> Self {
        Self {
            state,
            value: None,
            unread,
            last_fired: None,
            dumped: 0,
            dumps_failed: 0,
        }
    }
}

impl Shared {
    pub(crate) fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn status(&self, running: bool) -> Status {
        let mut lines = Vec::with_capacity(self.plates.len());
        let looks = {
            let mut board = self.board();
            let copy = |line: &mut Line| (line.figures, line.dump_error.take());
            lines.extend(board.lines.iter_mut().map(copy));
            board.looks
        };
        let rules = self.plates.iter().zip(lines);
        Status {
            running,
            rules: rules
                .map(|(plate, (figures, dump_error))| plate.status(&figures, dump_error))
                .collect(),
            ticks: looks.ticks,
            alarms: looks.alarms,
            limit: looks.limit,
            notes: self.notes.clone(),
            looking_closer: looks.closer,
            reclaim: self.reclaim.as_ref().map(|desk| desk.status()),
        }
    }
}

impl Plate {
    fn status(&self, figures: &Figures, dump_error: Option<DumpError>) -> RuleStatus {
        let desk = self.desk.as_deref();
        let outcomes = desk.map_or_else(Outcomes::default, |desk| desk.outcomes().clone());
        let mut actions = Vec::new();
        let mut add = |action, tally: Tally| {
            if tally.done > 0 || tally.failed > 0 {
                actions.push(ActionStatus {
                    action,
                    done: tally.done,
                    failed: tally.failed,
                    last_error: tally.last_error,
                });
            }
        };
        let dumps = Tally {
            done: figures.dumped,
            failed: figures.dumps_failed,
            last_error: self.last_dump_error(dump_error),
        };
        add("dump", dumps);
        add("report", outcomes.reports);
        #[cfg(feature = "log")]
        add("log", outcomes.logs);
        add("callback", outcomes.callbacks);
        RuleStatus {
            name: self.name.to_string(),
            condition: self.condition.clone(),
            value: figures.value,
            unit: self.unit,
            unread: figures.unread.map(|unread| unread.to_string()),
            fired: figures.state.fired,
            last_fired: figures.last_fired,
            suppressed_by_cool_down: figures.state.suppressed_by_cool_down,
            suppressed_by_cap: figures.state.suppressed_by_cap,
            skipped: desk.map_or(0, |desk| desk.skipped.load(Ordering::Relaxed)),
            actions,
        }
    }

    /// The last error of a dump, in words; `new` is one that came since somebody asked.
    fn last_dump_error(&self, new: Option<DumpError>) -> Option<String> {
        let last = self.dump_error.lock();
        let mut last = last.unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = new {
            *last = Some(in_words(error));
        }
        last.clone()
    }
}

impl Board {
    pub(crate) fn new(rules: &[Watched]) -> Self {
        let line = |rule: &Watched| Line {
            figures: rule.figures,
            dump_error: None,
        };
        Self {
            looks: Looks::default(),
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
        self.looks.ticks += 1;
        self.looks.alarms += u64::from(wake.alarm);
        self.looks.limit = readout.limit;
        self.looks.closer = closer.interval();
        for (line, rule) in self.lines.iter_mut().zip(rules) {
            line.figures = rule.figures;
            if let Some(error) = rule.dump_error.take() {
                line.dump_error = Some(error);
            }
        }
    }
}

//! The thread that a rule has for its reports, its log lines and its callbacks.
//!
//! Each rule has one of its own, so that one that blocks misses its own later events and nobody else's.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use unkai_core::{Config, aside, process};
use unkai_report::Report;

use crate::contained;
use crate::event::Event;
use crate::mailbox::Mailbox;
use crate::rule::Action;

/// A rule's thread, as the watcher's thread sees it.
#[derive(Debug)]
pub(crate) struct Worker {
    desk: Arc<Desk>,
    /// `None` when it was joined.
    thread: Option<JoinHandle<()>>,
}

/// What the thread has to do, and what came of it.
#[derive(Debug)]
pub(crate) struct Desk {
    events: Mailbox<Event>,
    /// Events for which there was no time.
    pub(crate) skipped: AtomicU64,
    outcomes: Mutex<Outcomes>,
}

/// What came of the actions of one rule.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcomes {
    pub(crate) reports: Tally,
    #[cfg(feature = "log")]
    pub(crate) logs: Tally,
    pub(crate) callbacks: Tally,
}

/// How often something was done, and how often not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) done: u64,
    pub(crate) failed: u64,
    pub(crate) last_error: Option<String>,
}

impl Worker {
    /// Starts the thread.
    pub(crate) fn start(rule: &str, actions: Vec<Action>) -> io::Result<Self> {
        let desk = Arc::new(Desk {
            events: Mailbox::new(),
            skipped: AtomicU64::new(0),
            outcomes: Mutex::default(),
        });
        let thread = {
            let desk = Arc::clone(&desk);
            thread::Builder::new()
                .name(format!("unkai-{rule}"))
                .spawn(move || desk.work(actions))?
        };
        let thread = Some(thread);
        Ok(Self { desk, thread })
    }

    pub(crate) fn desk(&self) -> &Arc<Desk> {
        &self.desk
    }

    /// Hands over an event, if there is time for it. Allocates nothing.
    pub(crate) fn tell(&self, event: Event) {
        if !self.desk.events.put(event) {
            // Relaxed: a number for people.
            self.desk.skipped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Ends the thread: at once if it is idle, else after what it is doing, and nobody waits for that.
    pub(crate) fn stop(mut self) {
        if self.desk.events.close() {
            // The thread contains every panic; there is nothing to hear from it.
            drop(self.thread.take().map(JoinHandle::join));
        }
    }
}

impl Drop for Worker {
    /// Ends the thread after what it is doing.
    fn drop(&mut self) {
        self.desk.events.close();
    }
}

impl Desk {
    /// What came of the actions so far.
    pub(crate) fn outcomes(&self) -> MutexGuard<'_, Outcomes> {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, mut actions: Vec<Action>) {
        while let Some(event) = self.events.take() {
            // One profile for all reports of an event.
            let mut report = None;
            for action in &mut actions {
                self.act(action, &event, &mut report);
            }
            aside(|| drop(report));
        }
    }

    fn act(&self, action: &mut Action, event: &Event, report: &mut Option<Report>) {
        match action {
            Action::Report { reports, complains } => aside(|| {
                let written = contained::run(|| {
                    let report = report.get_or_insert_with(|| {
                        // The settings of the program's allocator hold already.
                        const UNUSED: Config = Config::new();
                        Report::new(process::snapshot(&UNUSED))
                    });
                    reports.write(&event.rule, report)
                });
                let result = written.and_then(|written| written.map_err(in_words));
                if let Err(words) = &result {
                    tell_of_failure(&event.rule, words, *complains);
                }
                self.outcomes().reports.note(result.map(drop));
            }),
            #[cfg(feature = "log")]
            Action::Log => {
                // A logger is the program's code.
                let logged = contained::run(|| log::warn!(target: "unkai", "{event}"));
                aside(|| self.outcomes().logs.note(logged));
            }
            Action::Call(callback) => {
                let returned = contained::run(|| callback(event));
                aside(|| self.outcomes().callbacks.note(returned));
            }
        }
    }
}

impl Tally {
    fn note(&mut self, result: Result<(), String>) {
        match result {
            Ok(()) => self.done += 1,
            Err(words) => {
                self.failed += 1;
                self.last_error = Some(words);
            }
        }
    }
}

/// Says that a report was not written, to whoever listens.
fn tell_of_failure(rule: &str, words: &str, complains: bool) {
    #[cfg(feature = "log")]
    let _ = contained::run(|| log::error!(target: "unkai", "{rule}: no report: {words}"));
    if complains {
        // If standard error is closed, nobody is left to be told.
        let _ = writeln!(io::stderr(), "unkai: {rule}: no report: {words}");
    }
}

/// An error and what caused it, in one sentence.
pub(crate) fn in_words(error: impl std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let error_words = error.to_string();
        if !words.contains(&error_words) {
            words.push_str(": ");
            words.push_str(&error_words);
        }
        cause = error.source();
    }
    words
}

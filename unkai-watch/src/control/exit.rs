//! The report that is written when the program ends.

use std::io::{self, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{process, thread};

use unkai_core::{Config, aside};
use unkai_report::Report;

use super::path::ReportPath;
use super::sys;
use crate::contained;
use crate::reports::write_alone;
use crate::stamp::Stamp;

/// What is to be written, and by which process: a forked child inherits both this and the function at exit.
static AT_EXIT: Mutex<Option<(u32, ReportPath)>> = Mutex::new(None);

static IS_REGISTERED: AtomicBool = AtomicBool::new(false);

/// Asks the C library to call us at exit; once in the life of a process, which its children inherit. `None` if it has no
/// memory for that.
pub(super) fn register() -> Option<()> {
    // Relaxed: this only makes sure that one thread asks.
    if IS_REGISTERED.swap(true, Ordering::Relaxed) {
        return Some(());
    }
    let registered = sys::at_exit(at_exit);
    IS_REGISTERED.store(registered.is_some(), Ordering::Relaxed);
    registered
}

/// Has a report written to `path` at exit, in place of any before. After [`register`].
pub(super) fn write_to(path: ReportPath) {
    let mut at_exit = AT_EXIT.lock().unwrap_or_else(|broken| broken.into_inner());
    *at_exit = Some((process::id(), path));
}

extern "C" fn at_exit() {
    // Not `lock`: a child that was forked while it was held would wait for ever.
    let Ok(mut at_exit) = AT_EXIT.try_lock() else {
        return;
    };
    let Some((pid, template)) = at_exit.take() else {
        return;
    };
    if pid != process::id() {
        return;
    }
    let written = contained::run(|| on_a_thread(template));
    if let Err(reason) = written.and_then(|written| written) {
        // If standard error is closed as well, nobody is left to be told.
        let _ = writeln!(io::stderr(), "unkai: no report at exit: {reason}");
    }
}

/// Writes the report on a thread of its own: the locals of this one are gone by now, and its stack may be small.
fn on_a_thread(template: ReportPath) -> Result<(), String> {
    let now = Stamp::next().text();
    let path = template.fill_in(process::id(), &String::from_utf8_lossy(&now));
    let shown = path.display().to_string();
    let work = move || {
        contained::run(|| {
            aside(|| {
                let report = Report::new(unkai_core::process::snapshot(&Config::new()));
                write_alone(path, template.format, &report).map_err(|error| error.to_string())
            })
        })
    };
    let thread = thread::Builder::new().name("unkai-exit".to_owned());
    let thread = thread.spawn(work).map_err(|error| {
        format!("{shown} could not be written, the system has refused a thread ({error})")
    })?;
    match thread.join() {
        Ok(Ok(written)) => written,
        Ok(Err(panicked)) => Err(format!("{shown} could not be written, {panicked}")),
        // The thread contains every panic.
        Err(_) => Ok(()),
    }
}

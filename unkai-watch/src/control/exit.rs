//! The report that is written when the program ends.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{io, panic, process, thread};

use unkai_core::{Config, aside};
use unkai_report::Report;

use super::path::ReportPath;
use super::sys;
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
    let now = Stamp::next().text();
    let path = template.fill_in(pid, &String::from_utf8_lossy(&now));
    let written = panic::catch_unwind(|| on_a_thread(&template, path.clone()))
        .unwrap_or_else(|_| Err(io::Error::other("it panicked")));
    if let Err(error) = written {
        // If standard error is closed as well, nobody is left to be told.
        let _ = writeln!(
            io::stderr(),
            "unkai: no report at exit in {}: {error}",
            path.display()
        );
    }
}

/// Writes the report on a thread of its own: the locals of this one are gone by now, and its stack may be small.
fn on_a_thread(template: &ReportPath, path: PathBuf) -> io::Result<()> {
    let format = template.format;
    let work = move || {
        aside(|| {
            let report = Report::new(unkai_core::process::snapshot(&Config::new()));
            write(&path, |out| format.write(&report, out))
        })
    };
    let thread = thread::Builder::new().name("unkai-exit".to_owned());
    match thread.spawn(work)?.join() {
        Ok(written) => written,
        Err(_) => Err(io::Error::other("making the report panicked")),
    }
}

/// Writes a file that only its owner may read and that is whole or not there. A link at `path` is replaced, not followed.
fn write(path: &Path, document: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let file = tempfile::Builder::new()
        .prefix(".unkai-")
        .tempfile_in(directory)?;
    let mut out = BufWriter::new(file);
    document(&mut out)?;
    out.into_inner()?.persist(path)?;
    Ok(())
}

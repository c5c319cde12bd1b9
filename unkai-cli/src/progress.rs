//! A line on the terminal while something takes long.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Says what is done and for how long, until it is dropped; nothing in the first second, and nothing at all where standard
/// error is not a terminal. Leaves no trace.
#[derive(Debug)]
pub(crate) struct Progress {
    running: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Begins to wait.
    pub(crate) fn begin(what: String) -> Self {
        let (end, ended) = mpsc::channel();
        let running = io::stderr().is_terminal().then(|| {
            let begun = Instant::now();
            let tell = move || {
                let mut told = false;
                while ended.recv_timeout(STEP) == Err(RecvTimeoutError::Timeout) {
                    told = true;
                    say(&format!("{what} … {} s", begun.elapsed().as_secs()));
                }
                if told {
                    say("");
                }
            };
            (end, thread::spawn(tell))
        });
        Self { running }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((end, thread)) = self.running.take() {
            drop(end);
            let _ = thread.join();
        }
    }
}

/// Replaces the line.
fn say(line: &str) {
    // Back to the start, and erase up to the end.
    let _ = write!(io::stderr(), "\r\x1b[K{line}");
}

const STEP: Duration = Duration::from_secs(1);

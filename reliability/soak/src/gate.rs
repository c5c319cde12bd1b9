//! Stops all threads of load at a point where each holds only what it keeps, and lets them go on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::machine;

/// What a thread of load does again and again, in steps of some milliseconds at most.
pub(crate) trait Work: Send {
    /// One step.
    fn step(&mut self);
    /// Gives back what it holds for the moment: the round is over.
    fn rest(&mut self);
    /// A new round begins. A quiet one is without rules that fire and without requests over HTTP.
    fn begin(&mut self, _is_quiet: bool) {}
}

/// Where threads of load stop.
#[derive(Default)]
pub(crate) struct Gate {
    /// Whether threads are to stop: looked at in each step.
    closed: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    threads: usize,
    resting: usize,
    /// Which round it is; threads that rest wait for the next.
    round: u64,
    is_quiet: bool,
    ends: bool,
}

impl Gate {
    /// Starts a thread, which rests until the gate is opened.
    pub(crate) fn start(
        self: &Arc<Self>,
        name: &str,
        make: impl FnOnce() -> Box<dyn Work> + Send + 'static,
    ) -> JoinHandle<()> {
        self.state().threads += 1;
        let gate = Arc::clone(self);
        let body = move || {
            let mut work = make();
            while let Some(is_quiet) = gate.wait() {
                work.begin(is_quiet);
                while !gate.closed.load(Ordering::Relaxed) {
                    work.step();
                }
                work.rest();
                machine::give_back();
            }
        };
        let started = thread::Builder::new().name(name.to_owned()).spawn(body);
        started.expect("the system has a thread")
    }

    /// Lets all threads begin a round.
    pub(crate) fn open(&self, is_quiet: bool) {
        let mut state = self.state();
        self.closed.store(false, Ordering::Relaxed);
        state.resting = 0;
        state.round += 1;
        state.is_quiet = is_quiet;
        self.changed.notify_all();
    }

    /// Waits until all threads rest.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        let start = Instant::now();
        let mut state = self.state();
        while state.resting < state.threads {
            let (threads, resting) = (state.threads, state.resting);
            assert!(
                start.elapsed() < PATIENCE,
                "only {resting} of {threads} threads of load have come to rest: one hangs"
            );
            let waited = self.changed.wait_timeout(state, Duration::from_secs(1));
            state = waited.expect("no thread panics and lives").0;
        }
    }

    /// Ends all threads, which rest.
    pub(crate) fn end(&self) {
        self.state().ends = true;
        self.changed.notify_all();
    }

    /// Waits for the next round, and says whether it is a quiet one; `None` if there is none.
    fn wait(&self) -> Option<bool> {
        let mut state = self.state();
        let round = state.round;
        state.resting += 1;
        self.changed.notify_all();
        while state.round == round && !state.ends {
            state = self
                .changed
                .wait(state)
                .expect("no thread panics and lives");
        }
        (!state.ends).then_some(state.is_quiet)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics and lives")
    }
}

/// After this long a thread hangs.
const PATIENCE: Duration = Duration::from_secs(120);

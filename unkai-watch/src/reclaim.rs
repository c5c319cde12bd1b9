//! The program's own ways to free memory, asked for at the process's limit.
//!
//! They run on a thread of their own, one after the other, so that one that blocks delays nobody but those after it.
//! They are asked when live bytes reach the limit or a request was refused there, and again only after live bytes were
//! below 7/8 of the limit, or a second later.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use unkai_core::aside;

use crate::contained;
use crate::mailbox::Mailbox;
use crate::readings::Readout;
use crate::status::ReclaimStatus;

/// Frees about as many bytes as it is asked for, and says how many it has.
pub(crate) type Reclaimer = Box<dyn FnMut(u64) -> u64 + Send>;

/// How long it takes at least until reclaimers are asked again while the process stays at its limit.
const PAUSE: Duration = Duration::from_secs(1);

/// The thread of the reclaimers, as the watcher's thread sees it.
#[derive(Debug)]
pub(crate) struct Reclaim {
    desk: Arc<Desk>,
    /// `None` when it was joined.
    thread: Option<JoinHandle<()>>,
    gate: Gate,
}

/// What the thread has to do, and what came of it.
#[derive(Debug)]
pub(crate) struct Desk {
    wanted: Mailbox<u64>,
    outcomes: Mutex<ReclaimStatus>,
}

/// Whether it is time to ask: pure.
#[derive(Debug)]
struct Gate {
    /// Live bytes were below 7/8 of the limit since reclaimers were asked last.
    armed: bool,
    asked: Option<Duration>,
}

impl Reclaim {
    /// Starts the thread.
    pub(crate) fn start(reclaimers: Vec<Reclaimer>) -> io::Result<Self> {
        let desk = Arc::new(Desk {
            wanted: Mailbox::new(),
            outcomes: Mutex::default(),
        });
        let thread = {
            let desk = Arc::clone(&desk);
            thread::Builder::new()
                .name("unkai-reclaim".to_owned())
                .spawn(move || desk.work(reclaimers))?
        };
        Ok(Self {
            desk,
            thread: Some(thread),
            gate: Gate::new(),
        })
    }

    pub(crate) fn desk(&self) -> &Arc<Desk> {
        &self.desk
    }

    /// Asks the reclaimers if the process is at its limit.
    pub(crate) fn look(&mut self, readout: &Readout, refused: bool) {
        let Some(limit) = readout.process_limit else {
            return;
        };
        let wanted = self.gate.wanted(limit, readout.live, refused, readout.now);
        if let Some(bytes) = wanted
            && self.desk.wanted.is_idle()
            && self.desk.wanted.put(bytes)
        {
            self.gate.close(readout.now);
        }
    }

    /// The bytes by which live bytes may grow until reclaimers are asked.
    pub(crate) fn room(&self, readout: &Readout) -> Option<f64> {
        let limit = readout.process_limit?;
        (self.gate.is_open(readout.now) && readout.live < limit)
            .then(|| (limit - readout.live) as f64)
    }

    /// Ends the thread: at once if it is idle, else after what it is doing, and nobody waits for that.
    pub(crate) fn stop(mut self) {
        if self.desk.wanted.close() {
            // The thread contains every panic; there is nothing to hear from it.
            drop(self.thread.take().map(JoinHandle::join));
        }
    }
}

impl Drop for Reclaim {
    /// Ends the thread after what it is doing.
    fn drop(&mut self) {
        self.desk.wanted.close();
    }
}

impl Desk {
    fn outcomes(&self) -> MutexGuard<'_, ReclaimStatus> {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn status(&self) -> ReclaimStatus {
        self.outcomes().clone()
    }

    fn work(&self, mut reclaimers: Vec<Reclaimer>) {
        while let Some(wanted) = self.wanted.take() {
            self.outcomes().asked += 1;
            let mut left = wanted;
            for reclaimer in &mut reclaimers {
                if left == 0 {
                    break;
                }
                match contained::run(|| reclaimer(left)) {
                    Ok(freed) => {
                        left = left.saturating_sub(freed);
                        let mut outcomes = self.outcomes();
                        outcomes.freed_bytes = outcomes.freed_bytes.saturating_add(freed);
                    }
                    Err(words) => aside(|| {
                        let mut outcomes = self.outcomes();
                        outcomes.panics += 1;
                        outcomes.last_panic = Some(words);
                    }),
                }
            }
        }
    }
}

impl Gate {
    const fn new() -> Self {
        Self {
            armed: true,
            asked: None,
        }
    }

    /// How many bytes to ask for now: as many as bring live bytes down to 7/8 of the limit.
    fn wanted(&mut self, limit: u64, live: u64, refused: bool, now: Duration) -> Option<u64> {
        let low = limit - limit / 8;
        if live <= low && !refused {
            self.armed = true;
        }
        let at_limit = live >= limit || refused;
        // What was refused may be large while live bytes are few: an eighth at least.
        (at_limit && self.is_open(now)).then(|| live.saturating_sub(low).max(limit / 8).max(1))
    }

    fn is_open(&self, now: Duration) -> bool {
        self.armed
            || self
                .asked
                .is_none_or(|asked| now.saturating_sub(asked) >= PAUSE)
    }

    fn close(&mut self, now: Duration) {
        self.armed = false;
        self.asked = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks at `second`; whether reclaimers were asked, and for how much.
    fn ask(gate: &mut Gate, second: u64, live: u64, refused: bool) -> Option<u64> {
        let now = Duration::from_secs(second) / 10;
        let wanted = gate.wanted(800, live, refused, now);
        if wanted.is_some() {
            gate.close(now);
        }
        wanted
    }

    #[test]
    fn reclaimers_are_asked_at_the_limit_and_not_in_a_loop() {
        let mut gate = Gate::new();
        assert_eq!(ask(&mut gate, 0, 799, false), None);
        assert_eq!(ask(&mut gate, 1, 810, false), Some(110));
        assert_eq!(ask(&mut gate, 2, 820, false), None, "asked just now");
        assert_eq!(ask(&mut gate, 3, 750, false), None);
        assert_eq!(ask(&mut gate, 4, 800, false), None, "it was not below 7/8");
        assert_eq!(ask(&mut gate, 5, 700, false), None);
        assert_eq!(ask(&mut gate, 6, 800, false), Some(100));
        assert_eq!(ask(&mut gate, 16, 801, false), Some(101), "a second later");
    }

    #[test]
    fn a_refusal_asks_for_an_eighth_at_least() {
        let mut gate = Gate::new();
        assert_eq!(ask(&mut gate, 0, 10, true), Some(100));
        assert_eq!(ask(&mut gate, 1, 10, true), None);
        assert_eq!(ask(&mut gate, 10, 790, true), Some(100));
    }
}

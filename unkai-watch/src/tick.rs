//! What the watcher's thread does: sleep, read, judge, act, set the alarm.
//!
//! Between ticks it sleeps with an alarm on live bytes, at the fewest live bytes with which a rule could fire. So growth is
//! seen when it happens, however fast, and not at the next tick. Where live bytes are not the quantity itself (resident
//! bytes, shares of limits, scopes), the alarm may go off too early; then it is set again, at a distance of 64 KiB at
//! least after the first time, twice that after the next, up to 1/64 of live bytes or 1 MiB, until the next tick. So it
//! cannot keep the thread busy.
//!
//! All of this is done aside and, while nothing fires, allocates nothing; but dumps are made ready anew now and then.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use unkai_core::aside;
use unkai_core::process::{self, Wake};

use crate::board::{Figures, Shared};
use crate::closer::Closer;
use crate::condition::{Condition, Direction, Kind};
use crate::dump::{Dump, DumpError};
use crate::event::Event;
use crate::judge::{Law, Verdict};
use crate::quantity::Quantity;
use crate::readings::{Readings, Readout};
use crate::reclaim::Reclaim;
use crate::rule::Look;
use crate::window::Window;
use crate::worker::Worker;

/// The longest sleep.
const FOREVER: Duration = Duration::from_secs(24 * 3600);
/// How often dumps are made ready for libraries that were loaded since: that takes a millisecond, and some memory meanwhile.
const REFRESH: Duration = Duration::from_secs(300);
/// The distance of the alarm after it has gone off for nothing once.
const SHORTEST_DISTANCE: u64 = 64 << 10;
/// What the distance may always grow to.
const LONGEST_DISTANCE: u64 = 1 << 20;

/// All that belongs to the watcher's thread.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) shared: Arc<Shared>,
    pub(crate) begun: Instant,
    pub(crate) every: Duration,
    pub(crate) rules: Vec<Watched>,
    pub(crate) readings: Readings,
    pub(crate) closer: Closer,
    pub(crate) reclaim: Option<Reclaim>,
    /// When the next tick is due.
    pub(crate) due: Duration,
    /// When the dumps are made ready anew.
    pub(crate) refresh_due: Duration,
    /// How often the alarm went off for nothing since the last tick that was due.
    pub(crate) false_alarms: u32,
}

/// A rule at work.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) name: Arc<str>,
    pub(crate) condition: Condition,
    pub(crate) law: Law,
    pub(crate) figures: Figures,
    pub(crate) window: Option<Window>,
    pub(crate) look: Option<Look>,
    pub(crate) dumps: Vec<Dump>,
    pub(crate) worker: Option<Worker>,
    /// The last error of a dump, until the board has it: not as text, for that would allocate when memory may be gone.
    pub(crate) dump_error: Option<DumpError>,
    /// When it fired, until its thread is told.
    pub(crate) untold: Option<SystemTime>,
}

impl Watch {
    /// Watches until it is told to stop.
    pub(crate) fn run(mut self) {
        // Whatever woke the watcher before this one.
        let mut wake = process::wait(Duration::ZERO);
        // Acquire: pairs with the Release in `Watching::stop`.
        while !self.shared.stop.load(Ordering::Acquire) {
            let rest = aside(|| self.tick(wake));
            wake = process::wait(rest);
        }
        aside(|| self.end());
    }

    /// Looks once. How long to sleep.
    fn tick(&mut self, wake: Wake) -> Duration {
        let now = self.begun.elapsed();
        let is_due = now >= self.due;
        if is_due {
            self.due = now.saturating_add(self.every);
            self.false_alarms = 0;
            if now >= self.refresh_due {
                self.refresh_due = now.saturating_add(REFRESH);
                let dumps = self.rules.iter_mut().flat_map(|rule| &mut rule.dumps);
                dumps.for_each(Dump::refresh);
            }
        }
        let readout = self.readings.read(now);
        self.closer.settle(now);
        let mut fired = false;
        for index in 0..self.rules.len() {
            if self.rules[index].judge(&readout) == Verdict::Fires {
                fired = true;
                self.fire(index, &readout);
            }
        }
        self.closer.settle(now);
        if let Some(reclaim) = &mut self.reclaim {
            reclaim.look(&readout, wake.refused);
        }
        if wake.alarm && !is_due && !fired {
            self.false_alarms = self.false_alarms.saturating_add(1);
        }
        process::set_alarm(self.alarm(&readout));
        self.shared
            .board()
            .note(wake, &readout, &self.closer, &mut self.rules);
        if fired {
            // Now, so that a callback that asks for the status finds its own event there.
            self.tell(&readout);
        }
        self.rest()
    }

    fn fire(&mut self, index: usize, readout: &Readout) {
        let rule = &mut self.rules[index];
        let at = SystemTime::now();
        rule.figures.last_fired = Some(at);
        rule.untold = Some(at);
        // First, and without anything that allocates before it.
        for dump in &mut rule.dumps {
            let result = dump.write(&rule.name);
            let is_written = matches!(result, Ok(()) | Err(DumpError::NotPruned { .. }));
            rule.figures.dumped += u64::from(is_written);
            if let Err(error) = result {
                rule.figures.dumps_failed += 1;
                rule.dump_error = Some(error);
            }
        }
        if let Some(look) = rule.look {
            self.closer.begin(index, look, readout.now);
        }
    }

    /// Hands the events of this tick to the threads of their rules.
    fn tell(&mut self, readout: &Readout) {
        for rule in &mut self.rules {
            if let Some(at) = rule.untold.take()
                && let Some(worker) = &rule.worker
            {
                worker.tell(rule.event(readout, at));
            }
        }
    }

    /// The fewest live bytes with which something could fire.
    fn alarm(&self, readout: &Readout) -> Option<u64> {
        let of_rules = self.rules.iter().filter_map(|rule| {
            let (quantity, value) = (rule.condition.quantity()?, rule.figures.value?);
            let threshold = rule.law.threshold;
            rule.law
                .watches_a_rise(&rule.figures.state, readout.now)
                .then(|| self.readings.room(readout, quantity, threshold, value))?
        });
        let of_reclaimers = self
            .reclaim
            .iter()
            .filter_map(|reclaim| reclaim.room(readout));
        let room = of_rules.chain(of_reclaimers).fold(f64::INFINITY, f64::min);
        if room == f64::INFINITY {
            return None;
        }
        // Too large a number becomes the largest there is.
        let distance = (room.ceil() as u64).max(self.shortest_distance(readout.live));
        Some(readout.live.saturating_add(distance))
    }

    fn shortest_distance(&self, live: u64) -> u64 {
        match self.false_alarms {
            0 => 1,
            times => {
                (SHORTEST_DISTANCE << (times - 1).min(20)).min(LONGEST_DISTANCE.max(live / 64))
            }
        }
    }

    /// How long there is nothing to do, if nobody wakes us.
    fn rest(&self) -> Duration {
        let has_quantity = |rule: &Watched| rule.condition.quantity().is_some();
        let ticks = self.reclaim.is_some() || self.rules.iter().any(has_quantity);
        let tick = ticks.then_some(self.due);
        let cool_downs = self
            .rules
            .iter()
            .filter_map(|rule| rule.law.due(&rule.figures.state));
        let next = tick
            .into_iter()
            .chain(self.closer.due())
            .chain(cool_downs)
            .min();
        next.map_or(FOREVER, |next| {
            next.saturating_sub(self.begun.elapsed()).min(FOREVER)
        })
    }

    fn end(&mut self) {
        process::set_alarm(None);
        self.closer.end();
        for worker in self.rules.iter_mut().filter_map(|rule| rule.worker.take()) {
            worker.stop();
        }
        if let Some(reclaim) = self.reclaim.take() {
            reclaim.stop();
        }
    }
}

impl Watched {
    fn judge(&mut self, readout: &Readout) -> Verdict {
        let quantity = match &self.condition.kind {
            Kind::Pulled(trigger) => {
                let pulled = trigger.take();
                return self
                    .law
                    .judge_trigger(&mut self.figures.state, pulled, readout.now);
            }
            Kind::Crossing { quantity, .. } => quantity,
        };
        let value = readout.value(quantity, self.window.as_mut());
        self.figures.value = value.ok();
        self.figures.unread = value.err();
        value.map_or(Verdict::Quiet, |value| {
            self.law.judge(&mut self.figures.state, value, readout.now)
        })
    }

    /// Allocates nothing.
    fn event(&self, readout: &Readout, at: SystemTime) -> Event {
        let quantity = self.condition.quantity();
        let crossed = |number| if quantity.is_some() { number } else { 0.0 };
        Event {
            rule: Arc::clone(&self.name),
            quantity: quantity.cloned(),
            direction: match &self.condition.kind {
                Kind::Crossing { direction, .. } => *direction,
                Kind::Pulled(_) => Direction::Rising,
            },
            value: crossed(self.figures.value.unwrap_or(0.0)),
            threshold: crossed(self.law.threshold),
            limit: readout
                .limit
                .filter(|_| matches!(quantity, Some(Quantity::ShareOfLimit))),
            at,
            firing: self.figures.state.fired,
            totals: readout.totals,
        }
    }
}

//! Whether a rule fires: pure, without clock and without system.
//!
//! ```text
//!            past the threshold, not cooling down
//!   armed ───────────────────────────────────────▶ fired ──▶ disarmed
//!     ▲                                                         │
//!     └─────────────── back at `clear_at` ──────────────────────┘
//! ```
//!
//! A rule that rises is armed from the start; one that falls is once the quantity was back at `clear_at`, so that a
//! program that has just begun does not set it off. While a rule cools down it stays armed: it fires when the time is
//! over, if the quantity is still past the threshold then.

use std::time::Duration;

use crate::condition::Direction;

/// What a rule demands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Law {
    pub(crate) direction: Direction,
    pub(crate) threshold: f64,
    pub(crate) clear_at: f64,
    pub(crate) cool_down: Duration,
    pub(crate) at_most: u64,
}

/// What came of it so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State {
    armed: bool,
    /// It would have fired, but it cools down.
    waits: bool,
    last_fired: Option<Duration>,
    pub(crate) fired: u64,
    pub(crate) suppressed_by_cool_down: u64,
    pub(crate) suppressed_by_cap: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Quiet,
    Fires,
}

impl Law {
    /// Where a rule is clear if its user has not said so.
    pub(crate) fn default_clear_at(direction: Direction, threshold: f64) -> f64 {
        match direction {
            Direction::Rising => threshold * 0.95,
            Direction::Falling => threshold * 1.05,
        }
    }

    /// A trigger's: it is pulled (1) or not (0), and judged by [`judge_trigger`](Self::judge_trigger).
    pub(crate) const fn of_a_trigger(cool_down: Duration, at_most: u64) -> Self {
        Self {
            direction: Direction::Rising,
            threshold: 1.0,
            clear_at: 0.0,
            cool_down,
            at_most,
        }
    }

    pub(crate) const fn start(&self) -> State {
        State {
            armed: matches!(self.direction, Direction::Rising),
            waits: false,
            last_fired: None,
            fired: 0,
            suppressed_by_cool_down: 0,
            suppressed_by_cap: 0,
        }
    }

    /// Judges a reading. `now` is the time since any fixed moment, and does not go back. NaN is neither past the threshold
    /// nor clear.
    pub(crate) fn judge(&self, state: &mut State, reading: f64, now: Duration) -> Verdict {
        if self.is_clear(reading) {
            state.suppressed_by_cool_down += u64::from(state.waits);
            state.waits = false;
            state.armed = true;
        } else if state.armed && self.is_past(reading) {
            return self.attempt(state, now);
        }
        Verdict::Quiet
    }

    /// Judges a trigger, which is pulled or not. One that is pulled during the cool-down fires after it.
    pub(crate) fn judge_trigger(&self, state: &mut State, pulled: bool, now: Duration) -> Verdict {
        if pulled || state.waits {
            self.attempt(state, now)
        } else {
            Verdict::Quiet
        }
    }

    fn attempt(&self, state: &mut State, now: Duration) -> Verdict {
        let may_fire = state.fired < self.at_most;
        if may_fire && self.is_cooling_down(state, now) {
            state.waits = true;
            return Verdict::Quiet;
        }
        state.waits = false;
        state.armed = false;
        if may_fire {
            state.fired += 1;
            state.last_fired = Some(now);
            Verdict::Fires
        } else {
            state.suppressed_by_cap += 1;
            Verdict::Quiet
        }
    }

    /// Whether the rule would fire at once if its quantity rose to the threshold.
    pub(crate) fn watches_a_rise(&self, state: &State, now: Duration) -> bool {
        self.direction == Direction::Rising
            && state.armed
            && state.fired < self.at_most
            && !self.is_cooling_down(state, now)
    }

    /// When to judge at the latest: at the end of a cool-down that the rule waits for.
    pub(crate) fn due(&self, state: &State) -> Option<Duration> {
        let fired = state.last_fired.filter(|_| state.waits)?;
        Some(fired.saturating_add(self.cool_down))
    }

    fn is_cooling_down(&self, state: &State, now: Duration) -> bool {
        state
            .last_fired
            .is_some_and(|fired| now.saturating_sub(fired) < self.cool_down)
    }

    fn is_past(&self, reading: f64) -> bool {
        match self.direction {
            Direction::Rising => reading >= self.threshold,
            Direction::Falling => reading <= self.threshold,
        }
    }

    fn is_clear(&self, reading: f64) -> bool {
        match self.direction {
            Direction::Rising => reading <= self.clear_at && reading < self.threshold,
            Direction::Falling => reading >= self.clear_at && reading > self.threshold,
        }
    }
}

#[cfg(test)]
mod tests;

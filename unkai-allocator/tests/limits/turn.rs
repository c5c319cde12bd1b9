//! One test at a time.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

static TURN: Mutex<()> = Mutex::new(());

/// Waits until no other test of this process runs.
pub(crate) fn my_turn() -> MutexGuard<'static, ()> {
    // A test that failed says so itself.
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The seed of a test: `number`, and others with each value of the variable `UNKAI_SEED`, for runs that search.
pub(crate) fn seed(number: u64) -> u64 {
    let shift = std::env::var("UNKAI_SEED").ok();
    let shift: u64 = shift.and_then(|shift| shift.parse().ok()).unwrap_or(0);
    number + 100 * shift
}

/// How long a test still has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Within(Instant);

impl Within {
    pub(crate) fn millis(millis: u64) -> Self {
        Self(Instant::now() + Duration::from_millis(millis))
    }

    pub(crate) fn is_over(self) -> bool {
        Instant::now() >= self.0
    }
}

/// Waits for something that another thread is about to do.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let within = Within::millis(20_000);
    while !is_so() {
        assert!(!within.is_over(), "waited in vain: {what}");
        std::thread::sleep(Duration::from_micros(200));
    }
}

//! The profiler's clock: nanoseconds since it started. Read for sampled blocks only.

use std::time::Instant;

/// A monotonic clock that starts at zero.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the place where the clock is read"
    )]
    pub(crate) fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// Nanoseconds since the start; good for 584 years.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the place where the clock is read"
    )]
    pub(crate) fn now(&self) -> u64 {
        // `duration_since` saturates at zero, should the platform's clock ever step back.
        Instant::now().duration_since(self.start).as_nanos() as u64
    }
}

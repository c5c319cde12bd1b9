//! Live bytes that rise above a threshold and fall again, so that rules fire.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::gate::Work;
use crate::latency::Moments;

/// Bytes that are more than all other load together ever holds.
pub(crate) const LOW: u64 = 128 << 20;
/// Bytes that only the tide reaches.
pub(crate) const HIGH: u64 = 192 << 20;

/// What the tide does, for whoever must know.
#[derive(Debug, Default)]
pub(crate) struct Crossings {
    /// How often live bytes rose from below [`LOW`] to above [`HIGH`] and fell again.
    done: AtomicU64,
}

pub(crate) struct Tide {
    crossings: Arc<Crossings>,
    moments: Arc<Moments>,
    blocks: Vec<Vec<u8>>,
    is_quiet: bool,
    begun: Instant,
    left: u32,
}

/// For so long live bytes stay high, and low: several ticks of the watcher, also on a machine that has more to do.
pub(crate) const STAYS: Duration = Duration::from_millis(1500);
/// How often in a round.
const TIMES: u32 = 2;
const BLOCK: usize = 1 << 20;

impl Tide {
    pub(crate) fn new(crossings: Arc<Crossings>, moments: Arc<Moments>) -> Self {
        Self {
            crossings,
            moments,
            blocks: Vec::with_capacity(HIGH as usize / BLOCK + 1),
            is_quiet: true,
            begun: Instant::now(),
            left: 0,
        }
    }
}

impl Work for Tide {
    fn begin(&mut self, is_quiet: bool) {
        self.is_quiet = is_quiet;
        self.begun = Instant::now();
        self.left = TIMES;
    }

    /// A whole tide: a crossing is never cut short by the end of a round.
    fn step(&mut self) {
        let is_early = self.begun.elapsed() < Duration::from_secs(1);
        if self.is_quiet || is_early || self.left == 0 {
            return thread::sleep(Duration::from_millis(20));
        }
        self.left -= 1;
        // A rule looks closer when live bytes are high.
        let moments = Arc::clone(&self.moments);
        moments.of_dense_sampling(|| {
            while self.blocks.len() as u64 * BLOCK as u64 <= HIGH {
                self.blocks.push(Vec::with_capacity(BLOCK));
            }
            thread::sleep(STAYS);
        });
        self.blocks.clear();
        thread::sleep(STAYS);
        self.crossings.add_one();
    }

    fn rest(&mut self) {}
}

impl Crossings {
    /// Says that there was one more, whether there was or not.
    pub(crate) fn add_one(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    /// How many there were. Exact at rest.
    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }
}

//! Readings of the last while, in bounded room: made at the start, never grown.
//!
//! A window keeps one entry for each 1/64 of its length. Readings within the same 64th share an entry; it knows the
//! first of them, and the lowest. So a growth is forgotten up to 1/64 early, and an average is taken over up to 1/64, and
//! one tick, more than the window.

use std::time::Duration;

/// How many parts a window is divided into.
const PARTS: usize = 64;
/// The parts of a window, the one that is just being filled, and the one before the window.
const ENTRIES: usize = PARTS + 2;

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    at: Duration,
    first: u64,
    lowest: u64,
}

/// Readings of a number of bytes, within `length`.
#[derive(Debug)]
pub(crate) struct Window {
    length: Duration,
    /// A ring.
    entries: Box<[Entry; ENTRIES]>,
    oldest: usize,
    used: usize,
}

impl Window {
    pub(crate) fn new(length: Duration) -> Self {
        Self {
            length,
            entries: Box::new([Entry::default(); ENTRIES]),
            oldest: 0,
            used: 0,
        }
    }

    /// Adds a reading. `now` does not go back.
    pub(crate) fn add(&mut self, now: Duration, value: u64) {
        // One entry before the window stays: where the window begins.
        while self.used > 1 && self.age(1, now) >= self.length {
            self.drop_oldest();
        }
        let part = self.length / PARTS as u32;
        if let Some(newest) = self.newest_mut()
            && now.saturating_sub(newest.at) < part
        {
            newest.lowest = newest.lowest.min(value);
            return;
        }
        if self.used == ENTRIES {
            self.drop_oldest();
        }
        let place = (self.oldest + self.used) % ENTRIES;
        self.entries[place] = Entry {
            at: now,
            first: value,
            lowest: value,
        };
        self.used += 1;
    }

    /// The lowest reading within the window.
    pub(crate) fn lowest(&self, now: Duration) -> Option<u64> {
        (0..self.used)
            .filter(|&index| self.age(index, now) <= self.length)
            .map(|index| self.entry(index).lowest)
            .min()
    }

    /// By how much `value`, which only grows, has grown each second since the window began; `None` before one is over.
    pub(crate) fn rate(&self, now: Duration, value: u64) -> Option<f64> {
        if self.used == 0 || self.age(0, now) < self.length {
            return None;
        }
        let grown = value.saturating_sub(self.entry(0).first);
        Some(grown as f64 / self.age(0, now).as_secs_f64())
    }

    fn entry(&self, index: usize) -> &Entry {
        &self.entries[(self.oldest + index) % ENTRIES]
    }

    fn age(&self, index: usize, now: Duration) -> Duration {
        now.saturating_sub(self.entry(index).at)
    }

    fn newest_mut(&mut self) -> Option<&mut Entry> {
        let newest = self.used.checked_sub(1)?;
        Some(&mut self.entries[(self.oldest + newest) % ENTRIES])
    }

    fn drop_oldest(&mut self) {
        self.oldest = (self.oldest + 1) % ENTRIES;
        self.used -= 1;
    }
}

#[cfg(test)]
mod tests;

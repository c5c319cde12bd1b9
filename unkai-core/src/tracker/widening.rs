//! How much sparser than set sampling is, so that no table fills.
//!
//! A table that is full loses what comes next, and nobody can say how much that is. So when one of the three tables that
//! samples fill comes near its cap, the interval is doubled, and doubled again with each further step:
//!
//! ```text
//!  entries    0                    3/8                  3/4  ┆ a step for each 1/64 (stacks and sites: 1/32)  cap
//!             ├─────────────────────┼────────────────────┼┄┄┄┼┄┄┄┼┄┄┄┼┄┄┄┼┄┄┄┼┄┄┄┼┄┄┄┼┄┄┄┼┄┄┄┼┄┄┄┼┄┄┄┼┄┄┄┤
//!  interval   × 1, or denser again      as it is           × 2  × 4  × 8  …              × 65,536 (× 256)
//! ```
//!
//! * Live samples come and go, so their steps are taken back: as soon as fewer than 3/8 of the cap are in use *and* fewer
//!   than that would be, had all that are live been sampled at the denser interval. The second condition, for which each
//!   record knows its steps, is why sampling does not swing: what was live when sampling became denser does not drive it
//!   back. Even if everything is allocated anew, the table is at most half as full as where the next step is taken.
//! * Stacks and sites are kept for ever, so their steps are final. They are fewer, because a stack without a site of its
//!   own ("other") harms less than a profile that is sparse for ever.
//! * A table of fewer than [`LEAST`] entries takes no steps: each would be a handful of entries. It fills, and losses
//!   say so.
//!
//! What the user has set stays the base (see `control`): a new setting is widened by the same steps. Records do not learn of
//! it, so what would be in use is reckoned by the old setting until blocks have come and gone; a step too many is taken back
//! then, and one too few is taken when the table fills.
//!
//! Whether to step is asked where a table grows: after a new stack or site, and when a thread's stock of room for live
//! samples has run out; and, while sampling is sparser than set, with each sample. It takes a few loads and walks nothing.
//!
//! The steps depend on samples of the past only, so estimates stay unbiased: see `docs/sampling.md`.

#[cfg(not(loom))]
use super::{Tables, Tracker};
use crate::probe::sampler::Plan;
use crate::snapshot::SamplingStatus;
#[cfg(not(loom))]
use crate::store::cells::Cells;
use crate::widened::{CrowdedTable, Widened};

/// Doublings of the interval that each table has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Widening {
    stacks: u8,
    sites: u8,
    live: u8,
}

/// How full the tables are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fill {
    stacks: Used,
    sites: Used,
    live: Used,
    /// Live samples that there would be, had all been taken as set.
    live_as_set: u64,
}

#[derive(Clone, Copy, Debug)]
struct Used {
    entries: u64,
    capacity: u64,
}

impl Widening {
    pub(super) const NONE: Self = Self::from_word(0);

    pub(super) const fn from_word(word: u64) -> Self {
        let [stacks, sites, live, ..] = word.to_le_bytes();
        Self {
            stacks,
            sites,
            live,
        }
    }

    pub(super) const fn word(self) -> u64 {
        u64::from_le_bytes([self.stacks, self.sites, self.live, 0, 0, 0, 0, 0])
    }

    /// Doublings that are in force.
    pub(super) fn steps(self) -> u8 {
        self.stacks.max(self.sites).max(self.live)
    }

    /// The table that asked for most. Of several the one that may give back.
    fn by(self) -> CrowdedTable {
        if self.live == self.steps() {
            CrowdedTable::LiveSamples
        } else if self.sites == self.steps() {
            CrowdedTable::Sites
        } else {
            CrowdedTable::Stacks
        }
    }

    /// What it should be now.
    pub(super) fn next(self, fill: &Fill) -> Self {
        Self {
            stacks: self.stacks.max(fill.stacks.steps(FINAL_STEPS)),
            sites: self.sites.max(fill.sites.steps(FINAL_STEPS)),
            live: self.live_steps(fill),
        }
    }

    fn live_steps(self, fill: &Fill) -> u8 {
        let least = fill.live.steps(LIVE_STEPS);
        let low = fill.live.capacity / 8 * 3;
        if fill.live.entries >= low {
            return self.live.max(least);
        }
        let has_room = |steps: &u8| fill.live_as_set >> steps < low;
        (0..self.live).find(has_room).unwrap_or(self.live)
    }

    /// What a snapshot says of `set` under this widening.
    pub(super) fn status(self, set: Plan, paused: bool, threshold_bytes: u64) -> SamplingStatus {
        let mode = set.widened(self.steps()).sampling();
        let set = set.sampling();
        SamplingStatus {
            mode,
            widened: (mode != set).then(|| Widened::new(set, self.by())),
            paused,
            threshold_bytes,
        }
    }
}

#[cfg(not(loom))]
impl Fill {
    fn of(tables: &Tables) -> Self {
        let used = |entries, capacity| Used { entries, capacity };
        let (trie, sites, live) = (&tables.trie, &tables.sites, &tables.live);
        Self {
            stacks: used(trie.used(), trie.capacity()),
            sites: used(sites.used(), sites.capacity()),
            live: used(live.taken(), live.capacity()),
            live_as_set: live.taken().saturating_add(live.excess()),
        }
    }
}

#[cfg(test)]
impl Fill {
    /// A live table so full of samples that were taken as set; the others are empty.
    pub(super) fn of_live(entries: u64, capacity: u64) -> Self {
        let used = |entries| Used { entries, capacity };
        Self {
            stacks: used(0),
            sites: used(0),
            live: used(entries),
            live_as_set: entries,
        }
    }
}

impl Used {
    /// Steps that a table this full asks for: `most` in its last quarter.
    fn steps(self, most: u8) -> u8 {
        let start = self.capacity / 4 * 3;
        if self.capacity < LEAST || self.entries < start {
            return 0;
        }
        let whole = (self.entries - start) * u64::from(most) / (self.capacity - start);
        whole.min(u64::from(most) - 1) as u8 + 1
    }
}

#[cfg(not(loom))]
impl Tracker {
    /// After a sample was chosen: widens or narrows the interval if it is time to look.
    pub(super) fn steer_if_due(&self, tables: &Tables, cells: &Cells) {
        // Where a stock has run out, the table of live samples may be about to grow. While sampling is sparse, a sample
        // may look more often, so that it does not stay sparse for long.
        if cells.own.live_stock.is_empty() || self.control.widening().steps() > 0 {
            self.steer(tables);
        }
    }

    /// Widens or narrows the interval as the tables are full now.
    pub(super) fn steer(&self, tables: &Tables) {
        self.control.steer(&Fill::of(tables), || self.pool());
    }
}

/// Entries of the smallest table that takes steps.
const LEAST: u64 = 256;

/// Steps in the last quarter of the table of live samples: one for each 1/64 of the cap.
const LIVE_STEPS: u8 = 16;

/// Steps in the last quarter of the tables that never shrink: one for each 1/32 of the cap.
const FINAL_STEPS: u8 = 8;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const CAPACITY: u64 = 1024;

    fn fill(stacks: u64, sites: u64, live: u64, live_as_set: u64) -> Fill {
        let used = |entries| Used {
            entries,
            capacity: CAPACITY,
        };
        Fill {
            stacks: used(stacks),
            sites: used(sites),
            live: used(live),
            live_as_set,
        }
    }

    fn live(entries: u64) -> Fill {
        Fill::of_live(entries, CAPACITY)
    }

    #[test]
    fn each_part_of_the_last_quarter_is_a_step() {
        for (entries, of_live, of_others) in [
            (0, 0, 0),
            (767, 0, 0),
            (768, 1, 1),
            (783, 1, 1),
            (784, 2, 1),
            (800, 3, 2),
            (1007, 15, 8),
            (1008, 16, 8),
            (1024, 16, 8),
        ] {
            let next = |fill: Fill| Widening::NONE.next(&fill);
            assert_eq!(next(live(entries)).steps(), of_live, "{entries}");
            let of_stacks = next(fill(entries, 0, 0, 0));
            let of_sites = next(fill(0, entries, 0, 0));
            assert_eq!((of_stacks.stacks, of_sites.sites), (of_others, of_others));
        }
    }

    #[test]
    fn a_small_table_takes_no_steps() {
        for (capacity, steps) in [(LEAST - 1, 0), (LEAST, 16)] {
            let entries = capacity;
            assert_eq!(Used { entries, capacity }.steps(LIVE_STEPS), steps);
        }
    }

    #[test]
    fn only_the_live_table_gives_back() {
        let full = Widening::NONE.next(&fill(1024, 1024, 1024, 1024));
        assert_eq!((full.stacks, full.sites, full.live), (8, 8, 16));
        let empty = full.next(&fill(0, 0, 0, 0));
        assert_eq!((empty.stacks, empty.sites, empty.live), (8, 8, 0));
    }

    #[test]
    fn steps_are_given_back_only_as_far_as_what_is_live_would_fit() {
        let three = Widening {
            live: 3,
            ..Widening::NONE
        };
        for (entries, as_set, steps) in [
            // From 3/8 up it stays as it is.
            (384, 384, 3),
            (767, 767, 3),
            // Below, what is live decides: 383 × 4 fit with two steps.
            (300, 3071, 3),
            (300, 1535, 2),
            (300, 767, 1),
            (300, 383, 0),
        ] {
            let next = three.next(&fill(0, 0, entries, as_set));
            assert_eq!(next.live, steps, "{entries} {as_set}");
        }
    }

    #[test]
    fn a_word_keeps_all_steps_and_the_table_that_asked_for_most_is_named() {
        use CrowdedTable::{LiveSamples, Sites, Stacks};
        for (stacks, sites, live, by) in [
            (8, 2, 3, Stacks),
            (1, 2, 0, Sites),
            (1, 2, 16, LiveSamples),
            (4, 4, 4, LiveSamples),
        ] {
            let widening = Widening {
                stacks,
                sites,
                live,
            };
            assert_eq!(Widening::from_word(widening.word()), widening);
            assert_eq!(widening.by(), by);
        }
    }
}

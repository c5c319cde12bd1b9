//! How far sampling is from what the user has set, and why: plain values of a snapshot.

use crate::snapshot::{Sampling, SamplingStatus};

/// Sampling that is sparser than it was set to be, because a table of the profiler came near its cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Widened {
    /// How blocks would be chosen if the tables had room: what the user has set.
    pub set: Sampling,
    /// The table that asked for most of it.
    pub by: CrowdedTable,
}

/// A table of the profiler that can come near its cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CrowdedTable {
    /// Call stacks: `Config::max_stack_nodes`.
    Stacks,
    /// Sites: `Config::max_sites`.
    Sites,
    /// Sampled blocks that are live: `Config::max_live_samples`.
    LiveSamples,
}

impl Widened {
    /// What was set, and the table for which it is not in force.
    pub const fn new(set: Sampling, by: CrowdedTable) -> Self {
        Self { set, by }
    }
}

impl SamplingStatus {
    /// How blocks would be chosen if the tables had room: what the user has set.
    pub fn set(&self) -> Sampling {
        self.widened.map_or(self.mode, |widened| widened.set)
    }

    /// How many times sparser than set sampling is; 1 if it is as set.
    pub fn times_sparser(&self) -> u64 {
        match (self.set(), self.mode) {
            (Sampling::Bytes { interval: set }, Sampling::Bytes { interval: now })
            | (Sampling::Blocks { one_in: set }, Sampling::Blocks { one_in: now }) => {
                now.checked_div(set).map_or(1, |times| times.max(1))
            }
            (Sampling::EveryBlock, Sampling::Blocks { one_in }) => one_in.max(1),
            _ => 1,
        }
    }
}

//! Sites that look like leaks, with the reason in words.

use std::time::Duration;

use unkai_core::{Estimate, Snapshot};

use crate::report::Report;

/// A site whose live blocks are old, or whose live bytes grow steadily.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Suspect {
    /// The function of the program that allocates, as in the tables of sites.
    pub name: String,
    /// The function of the standard library that it calls for that.
    pub via: Option<String>,
    /// `file:line` of that call.
    pub place: Option<String>,
    /// Numbers of the sites (call stacks) that end there.
    pub site_ids: Vec<u32>,
    /// What is live.
    pub live: Estimate,
    /// The age that half of the live blocks have passed; `None` without a live block.
    pub median_age: Option<Duration>,
    /// How it grew; `None` without earlier snapshots.
    pub growth: Option<Growth>,
    /// Why it is suspected, in one or two sentences.
    pub reason: String,
}

/// How the live bytes of a site changed over several snapshots.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Growth {
    /// From the first snapshot to the last, in bytes.
    pub bytes: f64,
    /// Half the width of the 95 % confidence interval of `bytes`.
    pub error_95: f64,
    /// Bytes per second over that time.
    pub bytes_per_second: f64,
    /// How many steps from one snapshot to the next rose.
    pub rises: usize,
    /// How many steps there are.
    pub steps: usize,
}

/// The sites of `report` that look like leaks, the most suspicious first.
///
/// `earlier` are snapshots of the same process from before, oldest first. Without them, sites are judged by the age of
/// their live blocks alone.
pub fn suspects(_report: &Report, _earlier: &[Snapshot]) -> Vec<Suspect> {
    Vec::new()
}

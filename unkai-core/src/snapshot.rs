//! What a profile was at one moment: plain owned numbers.
//!
//! [`Snapshot`] is the border between the profiler and everything that reads it. It holds addresses, counts and
//! estimates, but no name, no text and no atomic, so a report can take its time over it while the program allocates on.
//! The difference of two snapshots, [`Snapshot::since`], is a snapshot again.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use crate::losses::Losses;
use crate::widened::Widened;

/// Number of buckets of a [`DurationHistogram`]: the last one is open-ended (2⁴⁶ ns, about 20 hours, and longer).
pub const DURATION_BUCKETS: usize = 48;

/// The state of a heap profile at one moment, or the change between two moments (see [`Snapshot::since`]).
///
/// Totals are exact. Everything per site is an estimate from samples, and each [`Estimate`] carries its variance.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Wall-clock time at which it was taken.
    pub taken_at: SystemTime,
    /// Time since the profiler served its first allocation.
    pub uptime: Duration,
    /// `None` for a plain snapshot; the time between the two snapshots for a difference.
    pub window: Option<Duration>,
    /// Exact totals over all threads.
    pub totals: Totals,
    /// Bytes of the process in physical memory (its RSS), program, allocator and unkai together; `None` where the system
    /// does not say. A difference keeps the later snapshot's.
    pub resident_bytes: Option<u64>,
    /// The limit of the process, and how it stands to it; `None` without a limit. A difference has the later snapshot's, and
    /// the requests that were refused in between.
    pub limit: Option<LimitStatus>,
    /// How samples were chosen when the snapshot was taken.
    pub sampling: SamplingStatus,
    /// How stacks were taken, and how well that went.
    pub unwinding: UnwindingStatus,
    /// One entry for each distinct call stack that was sampled; in no particular order.
    pub sites: Vec<Site>,
    /// What could not be recorded, counted by cause.
    pub losses: Losses,
    /// unkai's own memory.
    pub own_memory: OwnMemory,
}

/// Exact totals of the whole program. A successful `realloc` counts as one block freed and one block allocated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Everything ever allocated (in a difference: within the window).
    pub allocated: Amount,
    /// Everything ever freed (in a difference: within the window).
    pub freed: Amount,
    /// The highest value of live bytes, within `peak_error_bytes`. A difference keeps the later snapshot's peak.
    pub peak_live_bytes: u64,
    /// How far `peak_live_bytes` may lie from the true peak, in bytes.
    pub peak_error_bytes: u64,
    /// Requests of the program that were refused: by the inner allocator, as far as they were checked, or at the process's
    /// limit (of which [`LimitStatus::refused_requests`] counts its own).
    pub refused_requests: u64,
}

impl Totals {
    /// Bytes allocated and not freed. Negative only in a difference of two snapshots.
    pub fn live_bytes(&self) -> i64 {
        self.allocated.bytes.wrapping_sub(self.freed.bytes) as i64
    }

    /// Blocks allocated and not freed. Negative only in a difference of two snapshots.
    pub fn live_blocks(&self) -> i64 {
        self.allocated.blocks.wrapping_sub(self.freed.blocks) as i64
    }
}

/// The limit of the process, and how the process stands to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitStatus {
    /// The limit, in requested bytes.
    pub limit_bytes: u64,
    /// Bytes allocated and not freed.
    pub live_bytes: u64,
    /// Whether requests are refused at the limit. If not, they are granted, and live bytes may exceed it.
    pub refuses: bool,
    /// Requests that were refused so far because they would have exceeded it.
    pub refused_requests: u64,
}

impl LimitStatus {
    /// Bytes by which the limit is exceeded. More than zero where requests are granted, or after the limit was lowered.
    pub fn over_bytes(&self) -> u64 {
        self.live_bytes.saturating_sub(self.limit_bytes)
    }

    /// As now, but with the requests that were refused since `earlier`.
    fn since(self, earlier: Option<&Self>) -> Self {
        let before = earlier.map_or(0, |earlier| earlier.refused_requests);
        Self {
            refused_requests: self.refused_requests.saturating_sub(before),
            ..self
        }
    }

    /// Live bytes as a share of the limit: 1.0 is all of it.
    pub fn share(&self) -> f64 {
        self.live_bytes as f64 / self.limit_bytes.max(1) as f64
    }
}

/// A number of bytes, as requested by the program, and the number of blocks that they make up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Requested bytes (`Layout::size`).
    pub bytes: u64,
    /// Blocks.
    pub blocks: u64,
}

/// How blocks are chosen for sampling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sampling {
    /// No block is sampled; totals stay exact.
    Off,
    /// Every block is sampled: estimates are exact counts.
    EveryBlock,
    /// A Poisson process over allocated bytes: one sample every `interval` bytes on average.
    Bytes {
        /// Mean bytes between two samples.
        interval: u64,
    },
    /// On average one block in `one_in`, whatever its size.
    Blocks {
        /// Mean number of blocks for each sample.
        one_in: u64,
    },
}

/// The sampling that was in force when a snapshot was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SamplingStatus {
    /// How blocks are chosen.
    pub mode: Sampling,
    /// `None` if that is what the user has set; else what was set, and the table for whose sake it is not in force.
    pub widened: Option<Widened>,
    /// Whether sampling is paused (frees of sampled blocks and exact totals go on).
    pub paused: bool,
    /// Blocks of this many bytes or fewer are not sampled (they are counted).
    pub threshold_bytes: u64,
}

/// The way in which return addresses are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnwinderKind {
    /// No stack was taken yet.
    None,
    /// The chain of frame pointers.
    FramePointers,
    /// The modules' unwind tables, by `framehop`.
    Tables,
    /// The `backtrace` crate.
    Portable,
}

/// How stacks were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnwindingStatus {
    /// The unwinder in use at the time of the snapshot.
    pub kind: UnwinderKind,
    /// Whether the program's own code was found to keep frame pointers; `None` while that is not known.
    pub frame_pointers: Option<bool>,
    /// Frames kept of one stack at most.
    pub max_frames: u32,
    /// Innermost frames that are left out of each stack on request.
    pub skipped_frames: u32,
    /// Loaded modules (the executable and its libraries) whose unwind tables are known.
    pub modules: u32,
}

/// What the samples say about one call stack.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Site {
    /// Number of the site; stable for the life of the process.
    pub id: u32,
    /// Return addresses, innermost first. Empty for samples whose stack could not be taken.
    pub stack: Vec<u64>,
    /// Whether outer frames are missing, because the stack was deeper than the profiler keeps.
    pub truncated: bool,
    /// Whether inner frames are missing, because the table of stacks is full: the stack is its deepest known prefix.
    pub prefix_only: bool,
    /// Everything allocated here so far.
    pub allocated: Estimate,
    /// What of it is still live.
    pub live: Estimate,
    /// What of it was live when the whole program's live bytes were at their peak.
    pub at_peak: Estimate,
    /// Lifetimes of the blocks that were freed, in blocks (weighted).
    pub lifetimes: DurationHistogram,
    /// Ages of the blocks that are still live, in blocks (weighted).
    pub ages: DurationHistogram,
}

/// An unbiased estimate of bytes and blocks, with its error.
///
/// Each sampled block of `s` bytes that was sampled with probability `p` adds `s/p` bytes, `1/p` blocks, `s²(1−p)/p²` to
/// the variance of the bytes and `(1−p)/p²` to that of the blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// Number of samples behind the estimate (in a difference it may be negative).
    pub samples: i64,
    /// Estimated bytes.
    pub bytes: f64,
    /// Estimated blocks.
    pub blocks: f64,
    /// Variance of `bytes`, in bytes².
    pub bytes_variance: f64,
    /// Variance of `blocks`, in blocks².
    pub blocks_variance: f64,
}

impl Estimate {
    /// Half the width of the 95 % confidence interval of `bytes`, in bytes: 1.96 standard errors.
    pub fn bytes_error_95(&self) -> f64 {
        1.96 * self.bytes_variance.max(0.0).sqrt()
    }

    /// Half the width of the 95 % confidence interval of `blocks`, in blocks: 1.96 standard errors.
    pub fn blocks_error_95(&self) -> f64 {
        1.96 * self.blocks_variance.max(0.0).sqrt()
    }

    /// `self − earlier` of a cumulative estimate: what the later samples alone say.
    fn grown_since(&self, earlier: &Self) -> Self {
        Self {
            samples: self.samples - earlier.samples,
            bytes: self.bytes - earlier.bytes,
            blocks: self.blocks - earlier.blocks,
            bytes_variance: (self.bytes_variance - earlier.bytes_variance).max(0.0),
            blocks_variance: (self.blocks_variance - earlier.blocks_variance).max(0.0),
        }
    }

    /// The change of a level from `before` to `after`, where `allocated` came in between.
    ///
    /// Blocks that are live at both moments cancel, and so do those that came and went in between. The snapshots do not
    /// tell how many these are, but each kind can be left out by itself. The error is the smaller of these bounds: that of
    /// all blocks live at either moment, and that of all blocks that came or went in between. The first is close where
    /// blocks are short-lived, the second where a large part stays.
    fn moved(before: &Self, after: &Self, allocated: &Self) -> Self {
        let bound = |before: f64, after: f64, came: f64| {
            let went = (came + before - after).max(0.0);
            (before + after).min(came + went).max(0.0)
        };
        Self {
            bytes_variance: bound(
                before.bytes_variance,
                after.bytes_variance,
                allocated.bytes_variance,
            ),
            blocks_variance: bound(
                before.blocks_variance,
                after.blocks_variance,
                allocated.blocks_variance,
            ),
            ..after.grown_since(before)
        }
    }
}

/// A log₂ histogram of durations: bucket 0 counts 0 ns, bucket `i` counts durations from 2^(i−1) ns up to 2^i ns.
#[derive(Clone, Debug, PartialEq)]
pub struct DurationHistogram {
    /// Weighted number of blocks in each bucket.
    pub buckets: [f64; DURATION_BUCKETS],
}

impl Default for DurationHistogram {
    fn default() -> Self {
        Self {
            buckets: [0.0; DURATION_BUCKETS],
        }
    }
}

impl DurationHistogram {
    /// The bucket that counts a duration of `nanoseconds`.
    pub const fn bucket_of(nanoseconds: u64) -> usize {
        let bucket = (u64::BITS - nanoseconds.leading_zeros()) as usize;
        if bucket < DURATION_BUCKETS {
            bucket
        } else {
            DURATION_BUCKETS - 1
        }
    }

    /// Counts what is beyond the bucket of `longest` nanoseconds in that one.
    #[cfg(feature = "profiler")]
    pub(crate) fn cut_at(&mut self, longest: u64) {
        let (within, beyond) = self.buckets.split_at_mut(Self::bucket_of(longest) + 1);
        if let Some(last) = within.last_mut() {
            *last += beyond.iter_mut().map(std::mem::take).sum::<f64>();
        }
    }

    /// The shortest duration that bucket `index` counts.
    pub const fn lower_bound(index: usize) -> Duration {
        if index == 0 {
            Duration::ZERO
        } else {
            Duration::from_nanos(1 << (index - 1))
        }
    }

    /// Sum of all buckets: the estimated number of blocks.
    pub fn total(&self) -> f64 {
        self.buckets.iter().sum()
    }

    /// The duration below which a share `quantile` (0 to 1) of the blocks lies, up to the width of a bucket: the upper
    /// end of the bucket in which it falls. `None` if the histogram is empty.
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        let total = self.total();
        if total <= 0.0 {
            return None;
        }
        let mut seen = 0.0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if *count > 0.0 && seen >= quantile * total {
                return Some(Self::lower_bound(index + 1));
            }
        }
        None
    }

    fn grown_since(&self, earlier: &Self) -> Self {
        let mut difference = self.clone();
        for (bucket, before) in difference.buckets.iter_mut().zip(&earlier.buckets) {
            *bucket -= before;
        }
        difference
    }
}

/// Memory that unkai itself uses: its tables beside the program's heap, and the unwinder's part on it (in the totals).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OwnMemory {
    /// Counters of threads.
    pub threads: TableUse,
    /// Call stacks.
    pub stacks: TableUse,
    /// Counters of allocation sites.
    pub sites: TableUse,
    /// Sampled blocks that are live.
    pub live_blocks: TableUse,
    /// Unwind tables and caches of the unwinder (approximate).
    pub unwinder_bytes: u64,
}

impl OwnMemory {
    /// Bytes in use over all tables.
    pub fn used_bytes(&self) -> u64 {
        let tables = [self.threads, self.stacks, self.sites, self.live_blocks];
        let used = tables.iter().map(|table| table.used_bytes);
        used.fold(self.unwinder_bytes, u64::saturating_add)
    }

    /// Bytes that all tables can take at most, as configured.
    pub fn capacity_bytes(&self) -> u64 {
        let tables = [self.threads, self.stacks, self.sites, self.live_blocks];
        let capacity = tables.iter().map(|table| table.capacity_bytes);
        capacity.fold(self.unwinder_bytes, u64::saturating_add)
    }
}

/// How full one of unkai's tables is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableUse {
    /// Entries in use.
    pub entries: u64,
    /// Entries that fit at most.
    pub capacity: u64,
    /// Bytes touched so far.
    pub used_bytes: u64,
    /// Bytes at most.
    pub capacity_bytes: u64,
}

impl Snapshot {
    /// An empty snapshot: no allocation, no site. Useful as the `earlier` of a first difference, and to fill in by hand.
    pub fn empty(taken_at: SystemTime) -> Self {
        Self {
            taken_at,
            uptime: Duration::ZERO,
            window: None,
            totals: Totals::default(),
            resident_bytes: None,
            limit: None,
            sampling: SamplingStatus {
                mode: Sampling::Off,
                widened: None,
                paused: false,
                threshold_bytes: 0,
            },
            unwinding: UnwindingStatus {
                kind: UnwinderKind::None,
                frame_pointers: None,
                max_frames: 0,
                skipped_frames: 0,
                modules: 0,
            },
            sites: Vec::new(),
            losses: Losses::default(),
            own_memory: OwnMemory::default(),
        }
    }

    /// What changed between `earlier` and `self`, two snapshots of the same process.
    ///
    /// Cumulative figures (allocated, freed, lifetimes, losses) become those of the window. Levels (live) become signed
    /// growth; the error of a growth is an upper bound, from what came and went as far as that is less than what is live.
    /// Peak, ages, resident and own memory stay as they are in `self`. Sites are matched by their id; those in which
    /// nothing happened are left out.
    ///
    /// ```
    /// use std::time::SystemTime;
    /// use unkai_core::Snapshot;
    ///
    /// let earlier = Snapshot::empty(SystemTime::now());
    /// let mut later = earlier.clone();
    /// later.totals.allocated.bytes = 100;
    /// assert_eq!(later.since(&earlier).totals.live_bytes(), 100);
    /// ```
    pub fn since(&self, earlier: &Snapshot) -> Snapshot {
        let before: HashMap<u32, &Site> =
            earlier.sites.iter().map(|site| (site.id, site)).collect();
        let sites = self
            .sites
            .iter()
            .map(|site| match before.get(&site.id) {
                Some(before) => site.since(before),
                None => site.clone(),
            })
            .filter(|site| {
                site.allocated.samples != 0 || site.live.samples != 0 || site.live.bytes != 0.0
            })
            .collect();
        Snapshot {
            taken_at: self.taken_at,
            uptime: self.uptime,
            window: Some(self.uptime.saturating_sub(earlier.uptime)),
            totals: self.totals.since(&earlier.totals),
            limit: self.limit.map(|limit| limit.since(earlier.limit.as_ref())),
            resident_bytes: self.resident_bytes,
            sampling: self.sampling,
            unwinding: self.unwinding,
            sites,
            losses: self.losses.since(&earlier.losses),
            own_memory: self.own_memory,
        }
    }
}

impl Site {
    /// An empty site with this id and stack.
    pub fn new(id: u32, stack: Vec<u64>) -> Self {
        Self {
            id,
            stack,
            truncated: false,
            prefix_only: false,
            allocated: Estimate::default(),
            live: Estimate::default(),
            at_peak: Estimate::default(),
            lifetimes: DurationHistogram::default(),
            ages: DurationHistogram::default(),
        }
    }

    fn since(&self, earlier: &Self) -> Self {
        let allocated = self.allocated.grown_since(&earlier.allocated);
        Self {
            allocated,
            live: Estimate::moved(&earlier.live, &self.live, &allocated),
            lifetimes: self.lifetimes.grown_since(&earlier.lifetimes),
            ..self.clone()
        }
    }
}

impl Totals {
    fn since(&self, earlier: &Self) -> Self {
        Self {
            allocated: self.allocated.since(&earlier.allocated),
            freed: self.freed.since(&earlier.freed),
            refused_requests: self.refused_requests.wrapping_sub(earlier.refused_requests),
            ..*self
        }
    }
}

impl Amount {
    fn since(&self, earlier: &Self) -> Self {
        Self {
            bytes: self.bytes.wrapping_sub(earlier.bytes),
            blocks: self.blocks.wrapping_sub(earlier.blocks),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn site(allocated: f64, live: f64) -> Site {
        let mut site = Site::new(2, vec![1]);
        site.allocated.bytes_variance = allocated;
        site.live.bytes_variance = live;
        site
    }

    #[test]
    fn the_error_of_a_growth_is_that_of_the_blocks_that_make_it() {
        // A large index that stays, and 5 new blocks: only these are in doubt.
        let change = site(1005.0, 1005.0).since(&site(1000.0, 1000.0));
        assert_eq!(change.live.bytes_variance, 5.0);
        // Ten thousand short-lived blocks in between: only those live at either end are in doubt.
        let change = site(11_000.0, 4.0).since(&site(1000.0, 3.0));
        assert_eq!(change.live.bytes_variance, 7.0);
        // All that was there went: 3 left, none came.
        let change = site(1000.0, 0.0).since(&site(1000.0, 3.0));
        assert_eq!(change.live.bytes_variance, 3.0);
    }
}

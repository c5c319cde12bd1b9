//! Estimates for each call stack: what its samples stand for.
//!
//! A sample's contribution is fixed when it is taken and withdrawn unchanged when its block is freed, so sums of bytes
//! and blocks are kept as fixed-point integers: they return to exactly zero. Variances are kept as floating-point sums,
//! whose rounding does not matter for an error bar.
//!
//! What was live at the peak costs nothing at the peak: the gauge of the peak only counts an *epoch* up, and a site copies
//! its live figures aside when it is next changed in a newer epoch. A site that was not changed since has them still.

use super::region::{Region, Zeroable};
use super::trie::{NodeId, Trie};
use crate::entered::Entered;
use crate::snapshot::{DURATION_BUCKETS, DurationHistogram, Estimate};
use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// Number of a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SiteId(u32);

impl SiteId {
    /// Samples whose stack could not be taken.
    pub(crate) const NO_STACK: Self = Self(0);
    /// Samples of stacks beyond the capacity.
    pub(crate) const OTHER: Self = Self(1);

    pub(crate) fn from_number(number: u32) -> Self {
        Self(number)
    }

    pub(crate) fn number(self) -> u32 {
        self.0
    }
}

/// What one sample stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Weight {
    /// Requested bytes of the sampled block.
    pub(crate) size: u64,
    /// Blocks that it stands for: 1 / probability of being sampled.
    pub(crate) blocks: f64,
}

/// A weight, taken apart into what is summed.
#[derive(Clone, Copy, Debug)]
struct Contribution {
    bytes: u64,
    blocks: u64,
    bytes_variance: f64,
    blocks_variance: f64,
}

impl Weight {
    fn contribution(self) -> Contribution {
        let size = self.size as f64;
        // (1 − p) / p², with p = 1 / blocks.
        let variance = self.blocks * (self.blocks - 1.0);
        Contribution {
            bytes: (size * self.blocks * BYTES_UNIT).round() as u64,
            blocks: (self.blocks * BLOCKS_UNIT).round() as u64,
            bytes_variance: size * size * variance,
            blocks_variance: variance,
        }
    }
}

/// An [`Estimate`] that many threads add to.
#[derive(Debug, Default)]
struct Sum {
    samples: AtomicU64,
    bytes: AtomicU64,
    blocks: AtomicU64,
    bytes_variance: AtomicU64,
    blocks_variance: AtomicU64,
}

impl Sum {
    fn add(&self, part: &Contribution) {
        self.samples.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(part.bytes, Ordering::Relaxed);
        self.blocks.fetch_add(part.blocks, Ordering::Relaxed);
        add_float(&self.bytes_variance, part.bytes_variance);
        add_float(&self.blocks_variance, part.blocks_variance);
    }

    fn subtract(&self, part: &Contribution) {
        self.samples.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(part.bytes, Ordering::Relaxed);
        self.blocks.fetch_sub(part.blocks, Ordering::Relaxed);
        add_float(&self.bytes_variance, -part.bytes_variance);
        add_float(&self.blocks_variance, -part.blocks_variance);
    }

    fn copy_from(&self, other: &Sum) {
        for (to, from) in [
            (&self.samples, &other.samples),
            (&self.bytes, &other.bytes),
            (&self.blocks, &other.blocks),
            (&self.bytes_variance, &other.bytes_variance),
            (&self.blocks_variance, &other.blocks_variance),
        ] {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    fn estimate(&self) -> Estimate {
        let float = |cell: &AtomicU64| f64::from_bits(cell.load(Ordering::Relaxed)).max(0.0);
        Estimate {
            samples: self.samples.load(Ordering::Relaxed) as i64,
            bytes: self.bytes.load(Ordering::Relaxed) as i64 as f64 / BYTES_UNIT,
            blocks: self.blocks.load(Ordering::Relaxed) as i64 as f64 / BLOCKS_UNIT,
            bytes_variance: float(&self.bytes_variance),
            blocks_variance: float(&self.blocks_variance),
        }
    }
}

/// The figures of one site.
#[derive(Debug)]
struct SiteCells {
    node: AtomicU32,
    /// The epoch in which `at_peak` was last written.
    epoch: AtomicU32,
    allocated: Sum,
    live: Sum,
    at_peak: Sum,
    lifetimes: [AtomicU64; DURATION_BUCKETS],
}

impl Default for SiteCells {
    fn default() -> Self {
        Self {
            node: AtomicU32::default(),
            epoch: AtomicU32::default(),
            allocated: Sum::default(),
            live: Sum::default(),
            at_peak: Sum::default(),
            lifetimes: std::array::from_fn(|_| AtomicU64::default()),
        }
    }
}

// SAFETY: all fields are atomic integers, for which zero is valid; no `Drop`.
unsafe impl Zeroable for SiteCells {}

impl SiteCells {
    /// Before `live` changes: keeps what it was at the last peak.
    ///
    /// If two threads change a site in the very moment of a new peak, a change of one may be counted with the peak.
    fn keep_peak(&self, epoch: u32) {
        let kept = self.epoch.load(Ordering::Relaxed);
        if kept != epoch
            && self
                .epoch
                .compare_exchange(kept, epoch, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            self.at_peak.copy_from(&self.live);
        }
    }
}

/// The table of sites.
#[derive(Debug)]
pub(crate) struct Sites {
    cells: Region<SiteCells>,
    used: AtomicU32,
    /// A site that was taken for a stack which another thread had just given one; 0 if none.
    spare: AtomicU32,
}

/// The figures of a site at one moment.
#[derive(Clone, Debug)]
pub(crate) struct SiteFigures {
    pub(crate) id: SiteId,
    pub(crate) node: NodeId,
    pub(crate) allocated: Estimate,
    pub(crate) live: Estimate,
    pub(crate) at_peak: Estimate,
    pub(crate) lifetimes: DurationHistogram,
}

impl Sites {
    /// A table of at most `capacity` sites, the two reserved ones included.
    pub(crate) fn new(capacity: u32) -> Option<Self> {
        Some(Self {
            cells: Region::new(capacity.max(RESERVED) as usize)?,
            used: AtomicU32::new(RESERVED),
            spare: AtomicU32::new(0),
        })
    }

    /// The site that counts the stack `node`. `None` if the table is full.
    pub(crate) fn of(&self, _inside: &Entered, trie: &Trie, node: NodeId) -> Option<SiteId> {
        if node == NodeId::ROOT || node == NodeId::TRUNCATED {
            return Some(SiteId::NO_STACK);
        }
        let cell = trie.site_of(node);
        // Relaxed: a site's figures are valid from the start, and its `node` is only used by snapshots.
        let known = cell.load(Ordering::Relaxed);
        if known != 0 {
            return Some(SiteId(known));
        }
        let taken = self.take()?;
        self.cells[taken as usize]
            .node
            .store(node.number(), Ordering::Relaxed);
        // Release: pairs with the Acquire of a snapshot that comes here by the site's samples.
        match cell.compare_exchange(0, taken, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => Some(SiteId(taken)),
            Err(other) => {
                self.cells[taken as usize].node.store(0, Ordering::Relaxed);
                self.spare.store(taken, Ordering::Relaxed);
                Some(SiteId(other))
            }
        }
    }

    /// Adds a sample to what was allocated and is live.
    pub(crate) fn add(&self, _inside: &Entered, site: SiteId, weight: Weight, epoch: u32) {
        let cells = &self.cells[site.0 as usize];
        let part = weight.contribution();
        cells.keep_peak(epoch);
        cells.allocated.add(&part);
        cells.live.add(&part);
    }

    /// Takes a sample back from what is live, after `lifetime` nanoseconds.
    pub(crate) fn remove(
        &self,
        _inside: &Entered,
        site: SiteId,
        weight: Weight,
        epoch: u32,
        lifetime: u64,
    ) {
        let cells = &self.cells[site.0 as usize];
        let part = weight.contribution();
        cells.keep_peak(epoch);
        cells.live.subtract(&part);
        cells.lifetimes[DurationHistogram::bucket_of(lifetime)]
            .fetch_add(part.blocks, Ordering::Relaxed);
    }

    /// Puts back a sample that was removed in vain (a `realloc` that failed).
    pub(crate) fn put_back(&self, _inside: &Entered, site: SiteId, weight: Weight, lifetime: u64) {
        let cells = &self.cells[site.0 as usize];
        let part = weight.contribution();
        cells.live.add(&part);
        cells.lifetimes[DurationHistogram::bucket_of(lifetime)]
            .fetch_sub(part.blocks, Ordering::Relaxed);
    }

    /// The figures of all sites that have samples.
    pub(crate) fn figures(&self, epoch: u32) -> Vec<SiteFigures> {
        let used = self.used.load(Ordering::Relaxed);
        let cells = self.cells[..used as usize].iter().enumerate();
        cells
            .filter(|(_, cells)| cells.allocated.samples.load(Ordering::Acquire) != 0)
            .map(|(index, cells)| {
                let live = cells.live.estimate();
                let kept = cells.epoch.load(Ordering::Relaxed) == epoch;
                let mut lifetimes = DurationHistogram::default();
                for (bucket, cell) in lifetimes.buckets.iter_mut().zip(&cells.lifetimes) {
                    *bucket = cell.load(Ordering::Relaxed) as i64 as f64 / BLOCKS_UNIT;
                }
                SiteFigures {
                    id: SiteId(index as u32),
                    node: NodeId::from_number(cells.node.load(Ordering::Relaxed)),
                    allocated: cells.allocated.estimate(),
                    at_peak: if kept { cells.at_peak.estimate() } else { live },
                    live,
                    lifetimes,
                }
            })
            .collect()
    }

    pub(crate) fn used(&self) -> u64 {
        u64::from(self.used.load(Ordering::Relaxed))
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.cells.len() as u64
    }

    /// Bytes of one site.
    pub(crate) const ENTRY_BYTES: u64 = size_of::<SiteCells>() as u64;

    fn take(&self) -> Option<u32> {
        let spare = self.spare.swap(0, Ordering::Relaxed);
        if spare != 0 {
            return Some(spare);
        }
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                ((used as usize) < self.cells.len()).then_some(used + 1)
            })
            .ok()
    }
}

fn add_float(cell: &AtomicU64, amount: f64) {
    // Where every block is sampled nothing varies, and nothing need be written.
    if amount != 0.0 {
        let add = |bits| Some((f64::from_bits(bits) + amount).to_bits());
        let _ = cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }
}

const RESERVED: u32 = 2;

/// Fixed-point units: 1/256 byte, 1/65,536 block. Sums have room for 2⁵⁶ bytes and 2⁴⁸ blocks.
const BYTES_UNIT: f64 = 256.0;
const BLOCKS_UNIT: f64 = 65536.0;

#[cfg(all(test, not(loom)))]
mod tests;

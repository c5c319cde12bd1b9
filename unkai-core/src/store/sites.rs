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
        if self.blocks == 1.0 {
            // Where every block is sampled.
            return Contribution {
                bytes: self.size.wrapping_mul(BYTES_UNIT as u64),
                blocks: BLOCKS_UNIT as u64,
                bytes_variance: 0.0,
                blocks_variance: 0.0,
            };
        }
        let size = self.size as f64;
        // (1 − p) / p², with p = 1 / blocks.
        let variance = self.blocks * (self.blocks - 1.0);
        Contribution {
            // Rounded, for both are above zero.
            bytes: (size * self.blocks * BYTES_UNIT + 0.5) as u64,
            blocks: (self.blocks * BLOCKS_UNIT + 0.5) as u64,
            bytes_variance: size * size * variance,
            blocks_variance: variance,
        }
    }
}

/// A sum of contributions that many threads add to.
#[derive(Debug, Default)]
struct Sum {
    samples: AtomicU64,
    bytes: AtomicU64,
    blocks: AtomicU64,
}

impl Sum {
    fn add(&self, part: &Contribution) {
        // Release: who sees the sample sees whose it is. See `figures`.
        self.samples.fetch_add(1, Ordering::Release);
        self.bytes.fetch_add(part.bytes, Ordering::Relaxed);
        self.blocks.fetch_add(part.blocks, Ordering::Relaxed);
    }

    fn read(&self) -> [u64; 3] {
        [&self.samples, &self.bytes, &self.blocks].map(|cell| cell.load(Ordering::Relaxed))
    }
}

/// Variances of the bytes and the blocks of a sum, as floating-point numbers.
#[derive(Debug, Default)]
struct Variances {
    bytes: AtomicU64,
    blocks: AtomicU64,
}

impl Variances {
    /// Adds those of `part`, or takes them back where `sign` is −1.
    fn add(&self, part: &Contribution, sign: f64) {
        // Where every block is sampled nothing varies, and nothing need be written.
        if part.blocks_variance != 0.0 {
            add_float(&self.bytes, sign * part.bytes_variance);
            add_float(&self.blocks, sign * part.blocks_variance);
        }
    }

    fn copy_from(&self, other: &Self) {
        for (to, from) in [(&self.bytes, &other.bytes), (&self.blocks, &other.blocks)] {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    fn read(&self) -> [f64; 2] {
        [&self.bytes, &self.blocks]
            .map(|cell| f64::from_bits(cell.load(Ordering::Relaxed)).max(0.0))
    }
}

fn estimate([samples, bytes, blocks]: [u64; 3], variances: [f64; 2]) -> Estimate {
    Estimate {
        samples: samples as i64,
        bytes: bytes as i64 as f64 / BYTES_UNIT,
        blocks: blocks as i64 as f64 / BLOCKS_UNIT,
        bytes_variance: variances[0],
        blocks_variance: variances[1],
    }
}

/// The figures of one site. What an allocation changes lies in the first cache line, what a free changes in the second;
/// lifetimes are elsewhere, for sites that share a page are found with fewer misses.
#[derive(Debug, Default)]
#[repr(C, align(64))]
struct SiteCells {
    node: AtomicU32,
    /// The epoch in which `at_peak` was last written.
    epoch: AtomicU32,
    allocated: Sum,
    allocated_variances: Variances,
    at_peak_variances: Variances,
    freed: Freed,
}

/// What was freed, and what was live at the peak.
#[derive(Debug, Default)]
#[repr(C, align(64))]
struct Freed {
    samples: AtomicU64,
    bytes: AtomicU64,
    /// Of what is live: kept by itself, for the difference of two large floating-point sums would be all rounding.
    live_variances: Variances,
    at_peak: [AtomicU64; 3],
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<SiteCells>() == 128);

/// Blocks that were freed, by their lifetime.
#[derive(Debug)]
#[repr(align(64))]
struct Lifetimes([AtomicU64; DURATION_BUCKETS]);

impl Default for Lifetimes {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::default()))
    }
}

// SAFETY: all fields are atomic integers, for which zero is valid; no `Drop`.
unsafe impl Zeroable for Lifetimes {}

impl Lifetimes {
    fn bucket(&self, lifetime: u64) -> &AtomicU64 {
        &self.0[DurationHistogram::bucket_of(lifetime)]
    }

    /// Blocks that were freed.
    fn blocks(&self) -> u64 {
        self.0
            .iter()
            .map(|bucket| bucket.load(SEEN_WITH_WHAT_CAME))
            .fold(0, u64::wrapping_add)
    }
}

// SAFETY: all fields are atomic integers, for which zero is valid; no `Drop`.
unsafe impl Zeroable for SiteCells {}

/// One site, with both its parts.
#[derive(Clone, Copy, Debug)]
struct Place<'a> {
    cells: &'a SiteCells,
    lifetimes: &'a Lifetimes,
}

impl Place<'_> {
    /// What is live: first what was freed is read, so that no block is seen freed but not allocated.
    fn live(self) -> [u64; 3] {
        let freed = &self.cells.freed;
        let freed = [
            freed.samples.load(SEEN_WITH_WHAT_CAME),
            freed.bytes.load(SEEN_WITH_WHAT_CAME),
            self.lifetimes.blocks(),
        ];
        let allocated = self.cells.allocated.read();
        std::array::from_fn(|part| allocated[part].wrapping_sub(freed[part]))
    }

    /// Before what is live changes: keeps what it was at the last peak.
    ///
    /// If two threads change a site in the very moment of a new peak, a change of one may be counted with the peak.
    #[inline]
    fn keep_peak(self, epoch: u32) {
        if self.cells.epoch.load(Ordering::Relaxed) != epoch {
            self.keep_new_peak(epoch);
        }
    }

    #[cold]
    fn keep_new_peak(self, epoch: u32) {
        let SiteCells {
            allocated, freed, ..
        } = self.cells;
        let is_later = self.cells.epoch.swap(epoch, Ordering::Relaxed) != epoch;
        // Nothing was live at a new site.
        if !is_later || allocated.samples.load(Ordering::Relaxed) == 0 {
            return;
        }
        for (cell, value) in freed.at_peak.iter().zip(self.live()) {
            cell.store(value, Ordering::Relaxed);
        }
        self.cells
            .at_peak_variances
            .copy_from(&freed.live_variances);
    }

    fn at_peak(self) -> Estimate {
        let sums = self.cells.freed.at_peak.each_ref();
        estimate(
            sums.map(|cell| cell.load(Ordering::Relaxed)),
            self.cells.at_peak_variances.read(),
        )
    }

    fn add(self, part: &Contribution, epoch: u32) {
        self.keep_peak(epoch);
        self.cells.allocated.add(part);
        self.cells.allocated_variances.add(part, 1.0);
        self.cells.freed.live_variances.add(part, 1.0);
    }

    fn remove(self, part: &Contribution, epoch: u32, lifetime: u64) {
        self.keep_peak(epoch);
        let freed = &self.cells.freed;
        freed.samples.fetch_add(1, GONE_AFTER_IT_CAME);
        freed.bytes.fetch_add(part.bytes, GONE_AFTER_IT_CAME);
        freed.live_variances.add(part, -1.0);
        self.lifetimes
            .bucket(lifetime)
            .fetch_add(part.blocks, GONE_AFTER_IT_CAME);
    }

    fn put_back(self, part: &Contribution, lifetime: u64) {
        let freed = &self.cells.freed;
        freed.samples.fetch_sub(1, Ordering::Relaxed);
        freed.bytes.fetch_sub(part.bytes, Ordering::Relaxed);
        freed.live_variances.add(part, 1.0);
        self.lifetimes
            .bucket(lifetime)
            .fetch_sub(part.blocks, Ordering::Relaxed);
    }
}

/// The table of sites.
#[derive(Debug)]
pub(crate) struct Sites {
    cells: Region<SiteCells>,
    lifetimes: Region<Lifetimes>,
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
            lifetimes: Region::new(capacity.max(RESERVED) as usize)?,
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
        // Acquire: pairs with the Release below. Who adds a sample passes on the site's `node`.
        let known = cell.load(Ordering::Acquire);
        if known != 0 {
            return Some(SiteId(known));
        }
        let taken = self.take()?;
        self.cells[taken as usize]
            .node
            .store(node.number(), Ordering::Relaxed);
        // Release: pairs with the Acquire of who finds it known. Acquire: who was first has looked for a spare before, so ours is
        // not lost to that look.
        match cell.compare_exchange(0, taken, Ordering::Release, Ordering::Acquire) {
            Ok(_) => Some(SiteId(taken)),
            Err(other) => {
                self.cells[taken as usize].node.store(0, Ordering::Relaxed);
                // Release: pairs with the Acquire in `take`, whose thread writes another node there.
                self.spare.store(taken, Ordering::Release);
                Some(SiteId(other))
            }
        }
    }

    /// Adds a sample to what was allocated and is live.
    pub(crate) fn add(&self, site: SiteId, weight: Weight, epoch: u32) {
        self.place(site.0 as usize)
            .add(&weight.contribution(), epoch);
    }

    /// Takes a sample back from what is live, after `lifetime` nanoseconds.
    pub(crate) fn remove(&self, site: SiteId, weight: Weight, epoch: u32, lifetime: u64) {
        self.place(site.0 as usize)
            .remove(&weight.contribution(), epoch, lifetime);
    }

    /// Puts back a sample that was removed in vain (a `realloc` that failed).
    pub(crate) fn put_back(&self, site: SiteId, weight: Weight, lifetime: u64) {
        self.place(site.0 as usize)
            .put_back(&weight.contribution(), lifetime);
    }

    #[inline]
    fn place(&self, index: usize) -> Place<'_> {
        Place {
            cells: &self.cells[index],
            lifetimes: &self.lifetimes[index],
        }
    }

    /// The figures of all sites that have samples, one after the other. Allocates nothing.
    pub(crate) fn figures(&self, epoch: u32) -> impl Iterator<Item = SiteFigures> {
        let used = self.used.load(Ordering::Relaxed) as usize;
        let places = (0..used).map(|index| (index, self.place(index)));
        places
            // Acquire: pairs with the Release in `Sum::add`, so that the node below is seen.
            .filter(|(_, place)| place.cells.allocated.samples.load(Ordering::Acquire) != 0)
            .map(move |(index, place)| {
                let cells = place.cells;
                let live = estimate(place.live(), cells.freed.live_variances.read());
                let kept = cells.epoch.load(Ordering::Relaxed) == epoch;
                let mut lifetimes = DurationHistogram::default();
                for (bucket, cell) in lifetimes.buckets.iter_mut().zip(&place.lifetimes.0) {
                    *bucket = cell.load(Ordering::Relaxed) as i64 as f64 / BLOCKS_UNIT;
                }
                SiteFigures {
                    id: SiteId(index as u32),
                    node: NodeId::from_number(cells.node.load(Ordering::Relaxed)),
                    allocated: estimate(cells.allocated.read(), cells.allocated_variances.read()),
                    at_peak: if kept { place.at_peak() } else { live },
                    live,
                    lifetimes,
                }
            })
    }

    /// The most live bytes that any one call stack holds. Allocates nothing.
    pub(crate) fn largest_live_bytes(&self) -> f64 {
        let used = self.used.load(Ordering::Relaxed) as usize;
        let live = |index: usize| {
            let cells = &self.cells[index];
            // Freed first, so that no block is seen freed but not allocated.
            let freed = cells.freed.bytes.load(SEEN_WITH_WHAT_CAME);
            cells
                .allocated
                .bytes
                .load(Ordering::Relaxed)
                .wrapping_sub(freed) as i64
        };
        let largest = (RESERVED as usize..used).map(live).max().unwrap_or(0);
        largest.max(0) as f64 / BYTES_UNIT
    }

    pub(crate) fn used(&self) -> u64 {
        u64::from(self.used.load(Ordering::Relaxed))
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.cells.len() as u64
    }

    /// Bytes of one site.
    pub(crate) const ENTRY_BYTES: u64 = (size_of::<SiteCells>() + size_of::<Lifetimes>()) as u64;

    fn take(&self) -> Option<u32> {
        let spare = self.spare.swap(0, Ordering::Acquire);
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
    let add = |bits| Some((f64::from_bits(bits) + amount).to_bits());
    let _ = cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
}

const RESERVED: u32 = 2;

/// How a sample is counted as freed: whoever frees it has its record from who allocated it, and passes on that it came.
const GONE_AFTER_IT_CAME: Ordering = Ordering::Release;
/// How what was freed is read, before what was allocated.
const SEEN_WITH_WHAT_CAME: Ordering = Ordering::Acquire;

/// Fixed-point units: 1/256 byte, 1/65,536 block. Sums have room for 2⁵⁶ bytes and 2⁴⁸ blocks.
const BYTES_UNIT: f64 = 256.0;
const BLOCKS_UNIT: f64 = 65536.0;

#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(all(test, loom))]
mod models;

//! What could not be recorded, counted by cause.
//!
//! unkai never fails an allocation because it cannot record it: it records less and adds one here. Every snapshot carries
//! these numbers and every report prints those that are not zero.

/// Number of causes.
pub const CAUSES: usize = 11;

/// Why something is missing from a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(usize)]
#[non_exhaustive]
pub enum Cause {
    /// A stack was deeper than the profiler keeps: its outer frames are missing.
    StackTruncated,
    /// No frame of the stack could be found: the sample is in the site without a stack.
    StackMissing,
    /// The table of stacks is full: the sample went to the deepest prefix already known.
    StacksFull,
    /// The table of sites is full: the sample went to the site "other".
    SitesFull,
    /// The table of live blocks is full: the sample was dropped.
    LiveTableFull,
    /// An allocation on a thread without counters of its own (one that is ending, or beyond the configured number of
    /// threads): counted exactly, never sampled.
    ThreadNotSampled,
    /// The inner allocator refused the slightly larger request that a sample needs: the block was served unsampled.
    SampleRefused,
    /// unkai's own memory could not be mapped: nothing is sampled, or the sample was dropped, or went to the deepest prefix
    /// already known.
    OwnMemoryRefused,
    /// An allocation by unkai's own code while it recorded a sample: served, never counted.
    Reentered,
    /// A sampled block was freed with another layout than it was allocated with: the right one was used.
    LayoutMismatch,
    /// A sampled block's address was allocated again before its free was seen: the older record was closed.
    FreeMissed,
}

impl Cause {
    /// All causes, in the order of their numbers.
    pub const ALL: [Cause; CAUSES] = [
        Cause::StackTruncated,
        Cause::StackMissing,
        Cause::StacksFull,
        Cause::SitesFull,
        Cause::LiveTableFull,
        Cause::ThreadNotSampled,
        Cause::SampleRefused,
        Cause::OwnMemoryRefused,
        Cause::Reentered,
        Cause::LayoutMismatch,
        Cause::FreeMissed,
    ];
}

/// How often each [`Cause`] occurred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    counts: [u64; CAUSES],
}

impl Losses {
    /// How often `cause` occurred.
    pub const fn of(&self, cause: Cause) -> u64 {
        self.counts[cause as usize]
    }

    /// Sets how often `cause` occurred.
    pub const fn set(&mut self, cause: Cause, count: u64) {
        self.counts[cause as usize] = count;
    }

    /// Each cause with its count, those at zero included.
    pub fn iter(&self) -> impl Iterator<Item = (Cause, u64)> + '_ {
        Cause::ALL.into_iter().map(|cause| (cause, self.of(cause)))
    }

    /// Whether nothing was lost.
    pub fn is_empty(&self) -> bool {
        self.counts.iter().all(|&count| count == 0)
    }

    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let mut difference = *self;
        for (count, before) in difference.counts.iter_mut().zip(&earlier.counts) {
            *count = count.wrapping_sub(*before);
        }
        difference
    }
}

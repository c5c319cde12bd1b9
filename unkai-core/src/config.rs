//! What a user may set, with defaults and their reasons. Impossible values do not compile in a `static`.

use crate::snapshot::Sampling;

/// Settings of the profiler, made in a `const` context.
///
/// ```
/// use unkai_core::Config;
///
/// static CONFIG: Config = Config::new().sampling_interval(1 << 20).max_frames(32);
/// assert_eq!(CONFIG.get_max_frames(), 32);
/// ```
///
/// A value that makes no sense stops the build of a `static`:
///
/// ```compile_fail
/// static CONFIG: unkai_core::Config = unkai_core::Config::new().max_frames(0);
/// ```
///
/// # Near a cap
/// The tables of stacks, of sites and of live samples have caps, so that unkai's memory is bounded. From three quarters of
/// a cap on, sampling becomes sparser by itself: twice as sparse at once, and twice again with each further 1/64 of the
/// table of live samples, or 1/32 of the others (an interval doubles; every block becomes one in two). Estimates stay
/// unbiased, and hardly anything is ever lost. When fewer than three eighths of the table of live samples are in use,
/// and would be with denser sampling too, that part is taken back. Stacks and sites are kept for ever, so their part
/// stays. What was set remains the base, also if it is set anew while the program runs. Tables of fewer than 256 entries
/// do not take part: they fill, and losses are counted. `SamplingStatus::widened` in a snapshot, and a warning in a
/// report, say when sampling is sparser than set, and which setting to raise.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    sampling: Sampling,
    threshold_bytes: usize,
    skip_frames: u16,
    max_frames: u16,
    max_threads: u32,
    max_stack_nodes: u32,
    max_sites: u32,
    max_live_samples: u32,
    check_every_allocation: bool,
    limit: Option<u64>,
    refuse_at_limit: bool,
    seed: Option<u64>,
}

/// Most frames of one stack that can be kept.
pub const MAX_FRAMES: usize = 256;

/// Longest sampling interval: 64 GiB.
pub const MAX_INTERVAL: u64 = 1 << 36;

impl Config {
    /// The defaults: one sample every 512 KiB of allocated memory on average, stacks of up to 64 frames.
    ///
    /// unkai's own memory is mapped beside the heap and touched as it is needed: one or two hundred KiB in a small program,
    /// and 45 MiB at most with these capacities (4 for threads, 11 for stacks, 8 for sites, 22 for live samples). The report
    /// shows how full each table is.
    pub const fn new() -> Self {
        Self {
            // Go's and jemalloc's default too: a few thousand samples for each GiB, far below 1 % of the time.
            sampling: Sampling::Bytes {
                interval: 512 << 10,
            },
            threshold_bytes: 0,
            skip_frames: 0,
            // Deep enough for most synchronous code; async code may want more.
            max_frames: 64,
            // 128 bytes each, and only as many as are alive at once.
            max_threads: 1 << 15,
            // 24 bytes each, and 18 for the index: 11 MiB when full.
            max_stack_nodes: 1 << 18,
            // 512 bytes each: 8 MiB when full.
            max_sites: 1 << 14,
            // 86 bytes each: 22 MiB when full, which 128 GiB of live heap would take at the default interval.
            max_live_samples: 1 << 18,
            check_every_allocation: false,
            limit: None,
            refuse_at_limit: false,
            seed: None,
        }
    }

    /// Samples one block every `bytes` allocated bytes on average (a Poisson process over bytes). 1 samples every block.
    ///
    /// Cost of a sample and its free: 0.2 to 0.5 µs where samples are dense, some microseconds where caches are cold. Default:
    /// 512 KiB.
    ///
    /// # Panics
    /// If `bytes` is zero (see [`Config::sampling_off`]) or above [`MAX_INTERVAL`].
    pub const fn sampling_interval(mut self, bytes: u64) -> Self {
        assert!(
            bytes > 0,
            "the sampling interval must not be zero: use sampling_off()"
        );
        assert!(
            bytes <= MAX_INTERVAL,
            "the sampling interval must not exceed 64 GiB"
        );
        self.sampling = if bytes == 1 {
            Sampling::EveryBlock
        } else {
            Sampling::Bytes { interval: bytes }
        };
        self
    }

    /// Samples every block: exact figures for each stack, at 0.2 to 0.5 µs for each block.
    ///
    /// As long as the tables have room: see [near a cap](#near-a-cap).
    pub const fn sample_every_block(mut self) -> Self {
        self.sampling = Sampling::EveryBlock;
        self
    }

    /// Samples one block in `blocks` on average, whatever its size.
    ///
    /// Every allocation then takes the slow path (some nanoseconds more); prefer [`Config::sampling_interval`].
    ///
    /// # Panics
    /// If `blocks` is zero or above [`MAX_INTERVAL`].
    pub const fn sample_one_in(mut self, blocks: u64) -> Self {
        assert!(blocks > 0, "one in zero blocks cannot be sampled");
        assert!(
            blocks <= MAX_INTERVAL,
            "one block in more than 2^36 cannot be sampled"
        );
        self.sampling = if blocks == 1 {
            Sampling::EveryBlock
        } else {
            Sampling::Blocks { one_in: blocks }
        };
        self
    }

    /// Samples nothing. Totals stay exact.
    pub const fn sampling_off(mut self) -> Self {
        self.sampling = Sampling::Off;
        self
    }

    /// Never samples blocks of `bytes` or fewer; they are counted all the same. Default: 0, all may be sampled.
    pub const fn sampling_threshold(mut self, bytes: usize) -> Self {
        self.threshold_bytes = bytes;
        self
    }

    /// Leaves out this many innermost frames of each stack. Default: 0. Reports trim allocator frames by themselves.
    pub const fn skip_frames(mut self, frames: u16) -> Self {
        self.skip_frames = frames;
        self
    }

    /// Keeps this many frames of each stack at most, the innermost ones. Default: 64.
    ///
    /// # Panics
    /// If `frames` is zero or above [`MAX_FRAMES`].
    pub const fn max_frames(mut self, frames: u16) -> Self {
        assert!(frames > 0, "a stack of no frames says nothing");
        assert!(
            frames as usize <= MAX_FRAMES,
            "no more than 256 frames of a stack can be kept"
        );
        self.max_frames = frames;
        self
    }

    /// Threads alive at once that get counters of their own; further ones are counted on shared counters (slower, exact)
    /// and not sampled. 128 bytes each. Default: 32,768.
    ///
    /// # Panics
    /// If `threads` is zero or above 2²⁰.
    pub const fn max_threads(mut self, threads: u32) -> Self {
        assert!(
            threads > 0 && threads <= 1 << 20,
            "between 1 and 2^20 threads"
        );
        self.max_threads = threads;
        self
    }

    /// Frames that the table of call stacks holds at most; stacks share their outer frames. 24 bytes each, plus some 20
    /// to 40 for the index. Default: 262,144.
    ///
    /// From three quarters on, sampling becomes sparser, for good: see [near a cap](#near-a-cap). Stacks beyond the cap
    /// are known by their outer frames.
    ///
    /// # Panics
    /// If `nodes` is below 16 or above 2²⁴.
    pub const fn max_stack_nodes(mut self, nodes: u32) -> Self {
        assert!(
            nodes >= 16 && nodes <= 1 << 24,
            "between 16 and 2^24 stack nodes"
        );
        self.max_stack_nodes = nodes;
        self
    }

    /// Distinct call stacks that are counted apart; those beyond go to the site "other". 512 bytes each.
    /// Default: 16,384.
    ///
    /// From three quarters on, sampling becomes sparser, for good: see [near a cap](#near-a-cap).
    ///
    /// # Panics
    /// If `sites` is below 4 or above 2²⁰.
    pub const fn max_sites(mut self, sites: u32) -> Self {
        assert!(sites >= 4 && sites <= 1 << 20, "between 4 and 2^20 sites");
        self.max_sites = sites;
        self
    }

    /// Sampled blocks that can be live at once; further samples are dropped and counted as lost. 86 bytes each if it is
    /// a power of two, and up to 210 just above one. Default: 262,144.
    ///
    /// From three quarters on, sampling becomes sparser, until there is room again: see [near a cap](#near-a-cap).
    ///
    /// # Panics
    /// If `blocks` is below 16 or above 2²⁶.
    pub const fn max_live_samples(mut self, blocks: u32) -> Self {
        assert!(
            blocks >= 16 && blocks <= 1 << 26,
            "between 16 and 2^26 live samples"
        );
        self.max_live_samples = blocks;
        self
    }

    /// Looks at the answer of the inner allocator for every request, not only for those of 64 KiB and more.
    ///
    /// By default a request below 64 KiB is counted before the inner allocator is called, so that the call can be a tail
    /// call; if it is refused, totals stay too high by that request. With this setting they are exact even then, and
    /// every allocation pays some nanoseconds. Default: off.
    pub const fn check_every_allocation(mut self, check: bool) -> Self {
        self.check_every_allocation = check;
        self
    }

    /// The most bytes that the program is meant to hold at once, in requested bytes. Default: no limit.
    ///
    /// At the limit requests are granted all the same, for a refusal ends almost any program. What happens is what was
    /// asked for: whoever watches (`unkai-watch`) runs reclaimers and rules; snapshots, reports and metrics say how far the
    /// limit is exceeded. So the limit costs nothing. [`Config::refuse_at_limit`] is the strict kind.
    ///
    /// ```
    /// use unkai_core::Config;
    ///
    /// static CONFIG: Config = Config::new().limit(2 << 30);
    /// assert_eq!(CONFIG.get_limit(), Some(2 << 30));
    /// ```
    ///
    /// # Panics
    /// If `bytes` is zero.
    pub const fn limit(mut self, bytes: u64) -> Self {
        assert!(bytes > 0, "a limit of zero bytes lets nothing live");
        self.limit = Some(bytes);
        self
    }

    /// Refuses, with a null pointer, what would exceed the limit. **Code that cannot handle a failed allocation then ends
    /// the process**: `Vec::push`, `Box::new` and `String` abort. Code that asks with `try_reserve` and its like gets an error.
    /// Default: off.
    ///
    /// Live bytes never exceed the limit, by no byte, and nothing is refused that would have fit in that moment. Exempt is
    /// what unkai itself leaves behind, such as a report that is kept.
    ///
    /// Every operation then takes the slow path, and all threads change one counter: some tens of ns for each block, and
    /// more if many threads allocate at once.
    pub const fn refuse_at_limit(mut self, refuse: bool) -> Self {
        self.refuse_at_limit = refuse;
        self
    }

    /// Seeds the choice of samples, for repeatable tests. By default it differs from run to run.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// How blocks are chosen at the start.
    pub const fn get_sampling(&self) -> Sampling {
        self.sampling
    }

    /// Largest block that is never sampled, in bytes.
    pub const fn get_threshold_bytes(&self) -> usize {
        self.threshold_bytes
    }

    /// Innermost frames left out.
    pub const fn get_skip_frames(&self) -> usize {
        self.skip_frames as usize
    }

    /// Frames kept at most.
    pub const fn get_max_frames(&self) -> usize {
        self.max_frames as usize
    }

    /// Threads with counters of their own.
    pub const fn get_max_threads(&self) -> u32 {
        self.max_threads
    }

    /// Capacity of the table of stacks.
    pub const fn get_max_stack_nodes(&self) -> u32 {
        self.max_stack_nodes
    }

    /// Capacity of the table of sites.
    pub const fn get_max_sites(&self) -> u32 {
        self.max_sites
    }

    /// Capacity of the table of live samples.
    pub const fn get_max_live_samples(&self) -> u32 {
        self.max_live_samples
    }

    /// Whether every allocation is checked for refusal.
    pub const fn get_check_every_allocation(&self) -> bool {
        self.check_every_allocation
    }

    /// The most bytes that the program is meant to hold at once.
    pub const fn get_limit(&self) -> Option<u64> {
        self.limit
    }

    /// Whether requests beyond the limit are refused.
    pub const fn get_refuse_at_limit(&self) -> bool {
        self.refuse_at_limit
    }

    /// The seed, if one was set.
    pub const fn get_seed(&self) -> Option<u64> {
        self.seed
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

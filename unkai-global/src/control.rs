//! What a program asks its profiler: usage, snapshots, the reports of version 0.2.0, and changes of the sampling.

use unkai_core::{LimitStatus, MAX_INTERVAL, Sampling, Snapshot, Totals, aside, process};

use crate::UnkaiGlobalAlloc;

impl<A> UnkaiGlobalAlloc<A> {
    /// The exact totals of the process now. Costs a few nanoseconds for each thread; allocates nothing.
    pub fn usage(&self) -> Totals {
        process::totals()
    }

    /// The whole profile now: totals, and estimates for each call stack.
    ///
    /// Stops no thread. What taking it allocates for a while is not counted as the program's (see [`aside`]). Costs one to
    /// three microseconds for each call stack and some nanoseconds for each live sample.
    pub fn snapshot(&self) -> Snapshot {
        process::snapshot(&self.config)
    }

    /// The call stacks that hold live memory, as return addresses, innermost first, each with its live bytes (an
    /// estimate, rounded). The most bytes come first.
    pub fn report_addr(&self) -> Vec<(Vec<usize>, isize)> {
        aside(|| stacks_of(self.snapshot()))
    }

    /// The call stacks that hold live memory, in readable form, each with its live bytes (an estimate, rounded). The most
    /// bytes come first.
    ///
    /// Resolving names takes time and, while it lasts, memory of the size of the program's debug information.
    #[cfg(feature = "report")]
    pub fn report_symbol(&self) -> Vec<(String, isize)> {
        aside(|| unkai_report::readable_stacks(&self.snapshot()))
    }

    /// Stops taking samples. Totals stay exact, and frees of blocks that were sampled before are seen.
    pub fn pause(&self) {
        process::pause();
    }

    /// Takes samples again after [`UnkaiGlobalAlloc::pause`].
    pub fn resume(&self) {
        process::resume();
    }

    /// The limit of the process and how it stands to it; `None` without a limit. Costs what
    /// [`usage`](UnkaiGlobalAlloc::usage) does.
    pub fn limit(&self) -> Option<LimitStatus> {
        process::limit()
    }

    /// Sets the limit of the process in place of [`Config::limit`](unkai_core::Config::limit); `None` for no limit. Whether
    /// requests are refused at it stays as [`Config::refuse_at_limit`](unkai_core::Config::refuse_at_limit) says.
    ///
    /// A limit below what is live takes nothing away: where requests are refused, all are until enough was freed.
    pub fn set_limit(&self, bytes: Option<u64>) {
        process::set_limit(bytes);
    }

    /// Changes the mean number of bytes between two samples: 1 samples every block, 0 none; at most [`MAX_INTERVAL`].
    ///
    /// Each thread follows after 64 KiB of allocation at most. Estimates stay unbiased: a sample's weight is that of the
    /// interval under which it was taken.
    pub fn set_sampling_interval(&self, bytes: u64) {
        process::set_sampling(match bytes {
            0 => Sampling::Off,
            1 => Sampling::EveryBlock,
            _ => Sampling::Bytes {
                interval: bytes.min(MAX_INTERVAL),
            },
        });
    }
}

fn stacks_of(snapshot: Snapshot) -> Vec<(Vec<usize>, isize)> {
    let mut stacks: Vec<(Vec<usize>, isize)> = snapshot
        .sites
        .into_iter()
        .map(|site| {
            let stack = site.stack.iter().map(|&address| address as usize).collect();
            (stack, site.live.bytes.round() as isize)
        })
        .filter(|&(_, bytes)| bytes != 0)
        .collect();
    stacks.sort_by_key(|&(_, bytes)| std::cmp::Reverse(bytes));
    stacks
}

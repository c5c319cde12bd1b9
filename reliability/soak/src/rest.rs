//! What is looked at when all threads rest: totals, memory, threads, files.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::Heap;
use crate::count::Count;
use crate::machine;

/// Everything at one such moment.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Rest {
    pub(crate) seconds: f64,
    pub(crate) resident_bytes: u64,
    /// Of these, what is not mimalloc's.
    pub(crate) beside_heap_bytes: u64,
    pub(crate) live_bytes: u64,
    pub(crate) live_blocks: u64,
    /// unkai's own memory, and its tables.
    pub(crate) own_bytes: u64,
    pub(crate) live_samples: u64,
    pub(crate) stack_nodes: u64,
    pub(crate) sites: u64,
    pub(crate) thread_cells: u64,
    pub(crate) threads: u64,
    pub(crate) descriptors: u64,
    pub(crate) report_files: u64,
    pub(crate) report_bytes: u64,
    /// What could not be recorded, of all causes.
    pub(crate) losses: u64,
}

/// The totals of unkai beside those of the independent count.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    /// Bytes and blocks that only the count has seen, because they came and went within unkai's own work.
    aside: [i64; 2],
    /// Moments at which all agreed.
    pub(crate) agreed: u64,
    /// Of these, at the end of quiet rounds: nothing was left to unkai's word.
    pub(crate) agreed_in_full: u64,
}

/// Threads that were joined may still be ending for so long.
const PATIENCE: Duration = Duration::from_secs(10);

impl Totals {
    /// Compares. What is wrong, if they do not agree in time.
    ///
    /// Live bytes and blocks must be equal. What was allocated and freed must differ by the same number, which only what
    /// unkai does aside on threads of its own may raise: in a quiet round there is no such work, and it stays.
    pub(crate) fn compare(&mut self, heap: &Heap, is_quiet: bool) -> Option<String> {
        let start = Instant::now();
        loop {
            let counted = heap.count();
            let told = told(heap);
            let Err(wrong) = self.agree(counted, told, is_quiet) else {
                break;
            };
            if start.elapsed() > PATIENCE {
                return Some(wrong);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.agreed += 1;
        self.agreed_in_full += u64::from(is_quiet);
        (heap.nested() > 0).then(|| format!("{} requests came from within unkai", heap.nested()))
    }

    fn agree(&mut self, counted: Count, told: Count, is_quiet: bool) -> Result<(), String> {
        let more = |counted: [u64; 2], told: [u64; 2]| {
            [0, 1].map(|index| counted[index].wrapping_sub(told[index]) as i64)
        };
        let allocated = more(counted.allocated, told.allocated);
        let freed = more(counted.freed, told.freed);
        let is_plausible = if is_quiet {
            allocated == self.aside
        } else {
            allocated
                .iter()
                .zip(self.aside)
                .all(|(now, before)| *now >= before)
        };
        if allocated != freed || !is_plausible {
            let round = if is_quiet {
                "in a quiet round"
            } else {
                "in a round with requests and rules"
            };
            return Err(format!(
                "{round} live are {:?} (bytes, blocks), unkai counts {:?}; requested were {counted:?}, unkai counts {told:?}; \
                 before, {:?} of either were aside",
                counted.live(),
                told.live(),
                self.aside
            ));
        }
        self.aside = allocated;
        Ok(())
    }
}

fn told(heap: &Heap) -> Count {
    let usage = heap.inner.usage();
    Count {
        allocated: [usage.allocated.bytes, usage.allocated.blocks],
        freed: [usage.freed.bytes, usage.freed.blocks],
    }
}

impl Rest {
    /// Now, `seconds` after the beginning, with so many files and bytes of reports.
    pub(crate) fn look(heap: &Heap, seconds: f64, reports: (u64, u64)) -> Self {
        let resident_bytes = machine::resident_bytes();
        let beside_heap_bytes = machine::resident_beside_the_heap();
        let usage = heap.inner.usage();
        heap.aside(|| {
            let snapshot = heap.inner.snapshot();
            let own = &snapshot.own_memory;
            Self {
                seconds,
                resident_bytes,
                beside_heap_bytes,
                live_bytes: usage.live_bytes() as u64,
                live_blocks: usage.live_blocks() as u64,
                own_bytes: own.used_bytes(),
                live_samples: own.live_blocks.entries,
                stack_nodes: own.stacks.entries,
                sites: own.sites.entries,
                thread_cells: own.threads.entries,
                threads: machine::threads(),
                descriptors: machine::descriptors(),
                report_files: reports.0,
                report_bytes: reports.1,
                losses: snapshot.losses.iter().map(|(_, number)| number).sum(),
            }
        })
    }
}

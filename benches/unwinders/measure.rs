//! What is measured: one stack, or one whole sample, at the inner end of a call chain.

use std::alloc::{GlobalAlloc, Layout};
use std::hint::black_box;
use std::time::Instant;

use unkai_core::internals::{Stack, Way, call_chain};
use unkai_core::process::Registers;

use mimalloc::MiMalloc;
use unkai::{Config, UnkaiGlobalAlloc};

use crate::wash::Wash;
use crate::workloads::heaps::{PAIRS, TRACKED};

/// What is in the caches when the clock starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caches {
    /// Everything: the same was done just before.
    Warm,
    /// The program's stack; the rest is in the last cache, which other processors share.
    Far,
    /// The program's stack; the rest is in memory.
    Called,
    /// Nothing.
    Cold,
}

pub(crate) const CACHES: [Caches; 4] = [Caches::Warm, Caches::Far, Caches::Called, Caches::Cold];

/// What all measurements share.
pub(crate) struct Bench {
    pub(crate) wash: Wash,
    /// Measurements with washed caches for each figure.
    pub(crate) rounds: u64,
}

/// Makes unkai ready to keep a hundred frames and more: the settings of the heap that is used first hold for all.
pub(crate) fn prepare() {
    static FIRST: UnkaiGlobalAlloc<MiMalloc> =
        UnkaiGlobalAlloc::with_config(MiMalloc, Config::new().seed(1).max_frames(256));
    let layout = Layout::new::<u64>();
    // SAFETY: the layout is not empty.
    let block = unsafe { FIRST.alloc(layout) };
    if !block.is_null() {
        // SAFETY: allocated just now by the same heap for the same layout.
        unsafe { FIRST.dealloc(block, layout) };
    }
    crate::workloads::heaps::prepare();
}

/// Nanoseconds of one sample.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) alloc: f64,
    pub(crate) free: f64,
}

impl Bench {
    /// Nanoseconds to take a stack.
    pub(crate) fn stack(&self, way: Way, caches: Caches, links: u32) -> f64 {
        let mut times = Vec::new();
        self.at_the_inner_end(caches, links, &mut || {
            let mut stack = Stack::new();
            let registers = Registers::capture();
            times.push(timed(|| black_box(stack.take(way, &registers))).1);
        });
        median(times)
    }

    /// Nanoseconds by which a sampled block takes longer to allocate and to free than another one.
    pub(crate) fn sample(&self, caches: Caches, links: u32) -> Sample {
        let [off, every] = [0, 1].map(|interval| self.pair(interval, caches, links));
        Sample {
            alloc: every.alloc - off.alloc,
            free: every.free - off.free,
        }
    }

    fn pair(&self, interval: u64, caches: Caches, links: u32) -> Sample {
        crate::sampling::set_interval(interval);
        let heap = &PAIRS[0].tracked;
        let (mut allocs, mut frees) = (Vec::new(), Vec::new());
        self.at_the_inner_end(caches, links, &mut || {
            let (block, alloc) = timed(|| heap.take(64));
            self.wash(caches);
            let ((), free) = timed(|| heap.give_back(block));
            allocs.push(alloc);
            frees.push(free);
        });
        Sample {
            alloc: median(allocs),
            free: median(frees),
        }
    }

    /// Does `work` at the inner ends of chains of so many links, often enough for a median.
    #[inline(always)]
    fn at_the_inner_end(&self, caches: Caches, links: u32, work: &mut dyn FnMut()) {
        for round in 0..self.rounds {
            if caches != Caches::Cold {
                self.wash(caches);
            }
            call_chain(round % SEEDS, links, &mut || match caches {
                Caches::Warm => (0..50).for_each(|_| work()),
                Caches::Far | Caches::Called => work(),
                Caches::Cold => {
                    self.wash(caches);
                    work();
                }
            });
        }
    }

    fn wash(&self, caches: Caches) {
        match caches {
            Caches::Warm => {}
            Caches::Far => self.wash.wash_own_caches(),
            Caches::Called | Caches::Cold => self.wash.wash(),
        }
    }
}

/// Frames of a stack taken by `way`, innermost first.
#[inline(always)]
pub(crate) fn frames(way: Way, seed: u64, links: u32) -> Vec<u64> {
    let mut frames = Vec::new();
    call_chain(seed, links, &mut || {
        let mut stack = Stack::new();
        if stack.take(way, &Registers::capture()) {
            frames = stack.frames().to_vec();
        }
    });
    frames
}

/// Whether all ways find the same frames for chains of so many links. The chain of frame pointers may end early, for the
/// C library's start-up code keeps none.
pub(crate) fn ways_agree(ways: &[Way], links: u32) -> Result<(), String> {
    const MISSING_AT_MOST: usize = 4;
    for seed in 0..64 {
        let mut taken = Vec::new();
        call_chain(seed, links, &mut || {
            let registers = Registers::capture();
            taken = ways
                .iter()
                .map(|&way| {
                    let mut stack = Stack::new();
                    stack.take(way, &registers);
                    (way, stack.frames().to_vec())
                })
                .collect();
        });
        let (_, portable) = taken.last().expect("at least one way");
        for (way, stack) in &taken {
            let missing = portable.len().saturating_sub(stack.len());
            let may_miss = if *way == Way::FramePointers {
                MISSING_AT_MOST
            } else {
                0
            };
            if !portable.starts_with(stack) || missing > may_miss {
                return Err(format!(
                    "{way:?} disagrees at {links} links, seed {seed}:\n{stack:x?}\n{portable:x?}"
                ));
            }
        }
    }
    Ok(())
}

/// Frames of a sample's stack at the inner end of so many links.
pub(crate) fn sampled_frames(links: u32) -> usize {
    crate::sampling::set_interval(1);
    let before = TRACKED.snapshot();
    let heap = &PAIRS[0].tracked;
    call_chain(0, links, &mut || heap.give_back(heap.take(64)));
    let sites = TRACKED.snapshot().since(&before).sites.into_iter();
    let newest = sites.max_by_key(|site| site.stack.len());
    newest.map_or(0, |site| site.stack.len())
}

/// What `work` returns, and the nanoseconds that it takes beyond those of the clock itself.
#[inline(always)]
fn timed<R>(work: impl FnOnce() -> R) -> (R, f64) {
    // This also brings the clock's own code and data into the caches.
    black_box(Instant::now());
    let start = Instant::now();
    let clock = start.elapsed();
    let start = Instant::now();
    let result = work();
    let time = start.elapsed();
    (result, time.as_nanos() as f64 - clock.as_nanos() as f64)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Different chains that take turns.
const SEEDS: u64 = 8;

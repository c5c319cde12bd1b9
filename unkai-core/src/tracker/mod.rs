//! What happens when: the glue between the façade's calls, the probe and the store.
//!
//! A [`Tracker`] is an instance; there may be many, and tests make some. The one that a program's global allocator uses
//! is in [`crate::process`], which also finds the calling thread's cells.
//!
//! ```text
//!  façade                                    tracker
//!  alloc ── count_alloc ── left ≥ 0 ──▶ inner allocator (nothing else)
//!              └── left < 0 ──▶ alloc ─ decide ─▶ inner allocator ─▶ record ─▶ block
//!  dealloc ─ count_dealloc ─ neither due nor marked ──▶ inner allocator (nothing else)
//!              └── else ──▶ dealloc ─ forget ─▶ inner allocator
//! ```
//!
//! | file | does |
//! |---|---|
//! | `blocks` | serves the slow paths of allocation, free and reallocation |
//! | `samples` | records a sampled block, and closes its record |
//! | `stacks` | finds the site of a call stack |
//! | `mark` | puts a sampled block at a recognisable address |
//! | `control` | changes the sampling while the program runs |
//! | `shared` | counts for threads that do not count on cells of their own |
//! | `widening` | makes sampling sparser before a table is full |
//! | `view` | takes snapshots |
//! | `limit` | refuses what would exceed the process's limit, where that is wanted |
//! | `alarm` | wakes whoever watches |
//!
//! Invariants:
//! * The record of a sampled block exists before its address is handed out, and is gone before the inner allocator gets
//!   the block back: the address may be issued again at once.
//! * A block stands at a marked place only with a record that says so. Without a record, the program's layout and address
//!   are the inner allocator's.
//! * What is counted is what was served: a refused request is taken back where its answer is looked at, which is always
//!   the case for blocks of [`mark::LARGE`] bytes and more, and for all with `Config::check_every_allocation`.

mod alarm;
mod blocks;
mod control;
mod limit;
mod mark;
mod samples;
mod shared;
mod stacks;
#[cfg(test)]
mod tests;
mod view;
mod widening;

use std::time::SystemTime;

use crossbeam_utils::CachePadded;

use crate::config::Config;
use crate::losses::Cause;
use crate::probe::clock::Clock;
use crate::probe::sampler::{Plan, Random, Sampler};
use crate::probe::unwind::Registers;
use crate::store::cells::{Cells, Direction};
use crate::store::live::Live;
use crate::store::lost::Lost;
use crate::store::memo::Memo;
use crate::store::once::Once;
use crate::store::peak::{Peak, QUANTUM};
use crate::store::pool::Pool;
use crate::store::shared::SharedCells;
use crate::store::sites::Sites;
use crate::store::trie::Trie;
use crate::sync::{AtomicBool, AtomicU64, Ordering};

use control::Control;
use limit::Limit;

pub use alarm::Wake;
pub(crate) use alarm::{Flag, Reason};
pub(crate) use shared::Account;

/// A heap profile in the making.
#[derive(Debug)]
pub(crate) struct Tracker {
    tables: Once<Tables>,
    /// The tables could not be mapped: nothing is sampled, everything is counted.
    failed: AtomicBool,
    /// Read by every slow path, so it does not share a line with what is written often.
    control: CachePadded<Control>,
    shared: SharedCells,
    refused: AtomicU64,
    lost: Lost,
    watcher: Flag,
    /// Written by all threads where it refuses: a line of its own.
    limit: CachePadded<Limit>,
}

/// What exists once the first allocation has been seen.
#[derive(Debug)]
struct Tables {
    config: Config,
    clock: Clock,
    seed: u64,
    pool: Pool,
    trie: Trie,
    sites_of_stacks: Memo,
    nodes_of_parts: Memo,
    sites: Sites,
    live: Live,
    /// Written by all threads: a line of its own.
    peak: CachePadded<Peak>,
}

/// Who calls a slow path, and with what.
#[derive(Debug)]
pub(crate) struct Caller<'a, H> {
    /// The allocator under the profiler.
    pub(crate) heap: &'a H,
    /// The calling thread's cells, taken from this tracker.
    pub(crate) cells: &'a Cells,
    /// Where the stack begins.
    pub(crate) registers: &'a Registers,
}

impl Tables {
    fn new(config: &Config) -> Option<Self> {
        Some(Self {
            config: *config,
            clock: Clock::start(),
            seed: config.get_seed().unwrap_or_else(accidental_seed),
            pool: Pool::new(config.get_max_threads())?,
            trie: Trie::new(config.get_max_stack_nodes())?,
            sites_of_stacks: Memo::new()?,
            nodes_of_parts: Memo::new()?,
            sites: Sites::new(config.get_max_sites())?,
            live: Live::new(config.get_max_live_samples())?,
            peak: CachePadded::new(Peak::new()),
        })
    }
}

impl Tracker {
    pub(crate) const fn new() -> Self {
        Self {
            tables: Once::new(),
            failed: AtomicBool::new(false),
            control: CachePadded::new(Control::new()),
            shared: SharedCells::new(),
            refused: AtomicU64::new(0),
            lost: Lost::new(),
            watcher: Flag::new(),
            limit: CachePadded::new(Limit::new()),
        }
    }

    /// Makes the tables if there are none. The first caller's settings hold.
    pub(crate) fn start(&self, config: &Config) -> bool {
        if self.tables.get().is_some() {
            return true;
        }
        if self.failed.load(Ordering::Relaxed) {
            return false;
        }
        let kept = Tables::new(config).and_then(|tables| {
            self.control
                .start(Plan::new(config.get_sampling()), || self.pool());
            // If another thread was first, its tables are used and these unmapped.
            self.tables.set(tables)
        });
        if kept.is_none() {
            self.failed.store(true, Ordering::Relaxed);
            self.lost.count(Cause::OwnMemoryRefused);
        }
        kept.is_some()
    }

    /// Whether anything was ever allocated through this tracker.
    pub(crate) fn is_started(&self) -> bool {
        self.tables.get().is_some() || self.failed.load(Ordering::Relaxed)
    }

    /// Cells for a thread. `None` if the tables could not be made, or too many threads have cells.
    pub(crate) fn acquire_cells(&self, config: &Config) -> Option<&Cells> {
        if !self.start(config) {
            return None;
        }
        let tables = self.tables.get()?;
        let (cells, first_use) = tables.pool.acquire()?;
        if let Some(index) = first_use {
            let seed = Random::new(tables.seed.wrapping_add(u64::from(index))).next();
            self.store_sampler(cells, &Sampler::new(seed, self.control.plan()));
            self.arm(tables, cells, &self.load_sampler(cells));
            cells.rearm(Direction::Freed, QUANTUM - 1);
        }
        self.control.settle_floor(cells);
        Some(cells)
    }

    /// Takes cells back from a thread that ends.
    pub(crate) fn release_cells(&self, cells: &Cells) {
        if let Some(tables) = self.tables.get() {
            tables.pool.release(cells);
        }
    }

    /// The cells of all threads, once there are any.
    fn pool(&self) -> Option<&Pool> {
        self.tables.get().map(|tables| &tables.pool)
    }

    /// The tables that the caller's cells belong to.
    fn tables_of<H>(&self, _caller: &Caller<'_, H>) -> &Tables {
        match self.tables.get() {
            Some(tables) => tables,
            // Cells are handed out by tables only.
            None => unreachable!("cells of another tracker"),
        }
    }

    fn load_sampler(&self, cells: &Cells) -> Sampler {
        Sampler {
            random: Random::new(cells.own.random.load(Ordering::Relaxed)),
            plan: Plan::from_word(cells.own.plan.load(Ordering::Relaxed)),
            until: cells.own.until.load(Ordering::Relaxed),
        }
    }

    fn store_sampler(&self, cells: &Cells, sampler: &Sampler) {
        cells
            .own
            .random
            .store(sampler.random.state(), Ordering::Relaxed);
        cells.own.plan.store(sampler.plan.word(), Ordering::Relaxed);
        cells.own.until.store(sampler.until, Ordering::Relaxed);
    }

    /// Lets the fast path run until the sampler, the peak or the settings want to look again.
    fn arm(&self, tables: &Tables, cells: &Cells, sampler: &Sampler) {
        let most = if tables.config.get_check_every_allocation() {
            0
        } else {
            QUANTUM - 1
        };
        let left = sampler.unasked(most);
        cells.own.armed.store(left, Ordering::Relaxed);
        cells.rearm(Direction::Allocated, left);
    }

    /// Brings the peak up to date if these cells, which are this thread's, have moved by a quantum.
    fn publish(&self, tables: &Tables, cells: &Cells) {
        let published = cells.own.published.load(Ordering::Relaxed);
        let has_moved = |live: i64| live.wrapping_sub(published).unsigned_abs() >= QUANTUM as u64;
        if cells.own_live_bytes().is_some_and(has_moved) {
            let peak = &tables.peak;
            if peak.publish(cells, &tables.pool, self.shared.live_bytes()) {
                self.watcher.raise(Reason::Alarm);
            }
        }
    }

    /// Looks at live bytes over all threads now.
    fn measure(&self, tables: &Tables) {
        if tables.peak.measure(&tables.pool, self.shared.live_bytes()) {
            self.watcher.raise(Reason::Alarm);
        }
    }

    /// Wakes the watcher when live bytes reach so many; `None` for never. Without a heap that is tracked, nothing happens.
    pub(crate) fn set_alarm(&self, live_bytes: Option<u64>) {
        let Some(tables) = self.tables.get() else {
            return;
        };
        let alarm = live_bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX - 1));
        let (peak, extra) = (&tables.peak, self.shared.live_bytes());
        if peak.set_alarm(alarm, &tables.pool, extra) {
            self.watcher.raise(Reason::Alarm);
        }
    }

    /// What wakes whoever watches.
    pub(crate) fn watcher(&self) -> &Flag {
        &self.watcher
    }
}

/// A seed that differs from run to run: the time, and where the system has put this program.
fn accidental_seed() -> u64 {
    let time = SystemTime::UNIX_EPOCH
        .elapsed()
        .map_or(0, |time| time.as_nanos() as u64);
    let place = std::ptr::from_ref(&time) as u64;
    Random::new(time ^ place.rotate_left(32)).next()
}

//! Changing the sampling while the program runs.
//!
//! Threads notice a new plan at their next look, after 64 KiB of allocation at most. What needs care is whether sampled
//! blocks are *marked*. Where samples are dense (every block, one in N, an interval below [`DENSE`]), marking each would
//! waste memory: such blocks stand where the inner allocator put them, and every free is looked up instead, by a mark
//! floor of zero in all cells.
//!
//! ```text
//!            frequent plan                    all floors are zero
//!  MARKING ─────────────────▶ TURNING ──────────────────────────▶ FINDING
//!     ▲                        (still marks)                  (does not mark)
//!     └──────────────────────────── rare plan ───────────────────────┘
//! ```
//!
//! Back in `MARKING`, a thread raises its floor again when no unmarked small sample is live any more.

use crate::store::cells::Cells;
use crate::store::pool::Pool;
use crate::sync::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use super::mark::FLOOR;
use crate::probe::sampler::Plan;
use crate::snapshot::Sampling;

/// Below this interval, blocks are not marked: what the marks would add exceeds 1 % of the memory.
const DENSE: u64 = 32 << 10;

const MARKING: u8 = 0;
const TURNING: u8 = 1;
const FINDING: u8 = 2;

#[derive(Debug)]
pub(super) struct Control {
    plan: AtomicU64,
    plan_is_set: AtomicBool,
    paused: AtomicBool,
    state: AtomicU8,
    /// Live samples that are small and not marked.
    unmarked: AtomicU64,
}

impl Control {
    pub(super) const fn new() -> Self {
        Self {
            plan: AtomicU64::new(Plan::new(Sampling::Off).word()),
            plan_is_set: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            state: AtomicU8::new(MARKING),
            unmarked: AtomicU64::new(0),
        }
    }

    /// Takes the configured plan, unless one was set before the first allocation.
    pub(super) fn start(&self, plan: Plan) {
        if !self.plan_is_set.swap(true, Ordering::SeqCst) {
            self.adopt(plan, None);
        }
    }

    /// Goes over to `plan`.
    pub(super) fn set_plan(&self, plan: Plan, pool: Option<&Pool>) {
        self.plan_is_set.store(true, Ordering::SeqCst);
        self.adopt(plan, pool);
    }

    // Sequential consistency throughout: a floor, the state and the number of unmarked blocks are changed by different
    // threads, and each must see the others' change or be seen. All of this is far off the fast path.
    fn adopt(&self, plan: Plan, pool: Option<&Pool>) {
        if is_dense(plan.sampling()) {
            self.state.store(TURNING, Ordering::SeqCst);
            for cells in pool.into_iter().flat_map(Pool::iter) {
                cells.set_mark_floor(0, Ordering::SeqCst);
            }
            self.state.store(FINDING, Ordering::SeqCst);
        } else {
            self.state.store(MARKING, Ordering::SeqCst);
        }
        self.plan.store(plan.word(), Ordering::SeqCst);
    }

    pub(super) fn plan(&self) -> Plan {
        Plan::from_word(self.plan.load(Ordering::Acquire))
    }

    pub(super) fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }

    /// Raises the floor of a thread's cells to the mark's, if every sampled block that matters is marked.
    pub(super) fn settle_floor(&self, cells: &Cells) {
        if cells.mark_floor() != 0 || !self.all_are_marked() {
            return;
        }
        cells.set_mark_floor(FLOOR, Ordering::SeqCst);
        if !self.all_are_marked() {
            cells.set_mark_floor(0, Ordering::SeqCst);
        }
    }

    fn all_are_marked(&self) -> bool {
        self.state.load(Ordering::SeqCst) == MARKING && self.unmarked.load(Ordering::SeqCst) == 0
    }

    /// Asks to leave a small sampled block unmarked. If granted, `forget_unmarked` must follow when it is freed.
    pub(super) fn may_leave_unmarked(&self) -> bool {
        if self.state.load(Ordering::SeqCst) != FINDING {
            return false;
        }
        self.unmarked.fetch_add(1, Ordering::SeqCst);
        // If the state changed meanwhile, a thread may already have seen none unmarked.
        let granted = self.state.load(Ordering::SeqCst) == FINDING;
        if !granted {
            self.forget_unmarked();
        }
        granted
    }

    pub(super) fn forget_unmarked(&self) {
        self.unmarked.fetch_sub(1, Ordering::SeqCst);
    }
}

fn is_dense(sampling: Sampling) -> bool {
    match sampling {
        Sampling::Off => false,
        Sampling::EveryBlock | Sampling::Blocks { .. } => true,
        Sampling::Bytes { interval } => interval < DENSE,
    }
}

impl super::Tracker {
    /// Goes over to `plan`.
    pub(crate) fn set_plan(&self, plan: Plan) {
        self.control
            .set_plan(plan, self.tables.get().map(|tables| &tables.pool));
    }

    /// Stops taking samples, or goes on.
    pub(crate) fn set_paused(&self, paused: bool) {
        self.control.set_paused(paused);
    }
}

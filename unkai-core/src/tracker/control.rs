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
//!
//! Each step of the state has a number of its own, so that of several changes at once the last one to begin decides, and
//! one that was overtaken while it lowered the floors does not go on to `FINDING`.
//!
//! The plan in force is made of two things that change by themselves: what the user has set, and how much sparser than
//! that sampling is for the sake of a table that is nearly full (`widening`). Whoever changes one brings both together
//! and looks again whether they are still what they were, so that the last plan stored is that of the last change.

use crossbeam_utils::CachePadded;

use crate::store::cells::Cells;
use crate::store::pool::Pool;
use crate::sync::{AtomicBool, AtomicU64, Ordering, fence};

use super::mark::FLOOR;
use super::widening::{Fill, Widening};
use crate::probe::sampler::Plan;
use crate::snapshot::Sampling;

/// Below this interval, blocks are not marked: what the marks would add exceeds 1 % of the memory.
const DENSE: u64 = 32 << 10;

/// The phase, in the two lowest bits of the state; the number of the change is above them.
const PHASE: u64 = 3;
const MARKING: u64 = 0;
const TURNING: u64 = 1;
const FINDING: u64 = 2;

/// Counters of unmarked blocks.
#[cfg(not(loom))]
const SHARES: usize = 16;
#[cfg(loom)]
const SHARES: usize = 1;

/// loom takes sequentially consistent accesses for weaker ones than they are, and fences for what they are.
fn in_one_order() {
    #[cfg(loom)]
    fence(Ordering::SeqCst);
}

#[derive(Debug)]
pub(super) struct Control {
    /// What the user has set.
    set: AtomicU64,
    /// How much sparser sampling is than that.
    widening: AtomicU64,
    /// What is in force: `set`, widened.
    plan: AtomicU64,
    plan_is_set: AtomicBool,
    paused: AtomicBool,
    state: AtomicU64,
    /// Live samples that are small and not marked, by the cells of the thread that took them: threads that sample every block
    /// do not write to one line.
    unmarked: [CachePadded<AtomicU64>; SHARES],
}

impl Control {
    #[cfg(not(loom))]
    pub(super) const fn new() -> Self {
        Self {
            set: AtomicU64::new(Plan::new(Sampling::Off).word()),
            widening: AtomicU64::new(Widening::NONE.word()),
            plan: AtomicU64::new(Plan::new(Sampling::Off).word()),
            plan_is_set: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            state: AtomicU64::new(MARKING),
            unmarked: [const { CachePadded::new(AtomicU64::new(0)) }; SHARES],
        }
    }

    /// loom's atomics are not made in constants.
    #[cfg(loom)]
    pub(super) fn new() -> Self {
        Self {
            set: AtomicU64::new(Plan::new(Sampling::Off).word()),
            widening: AtomicU64::new(Widening::NONE.word()),
            plan: AtomicU64::new(Plan::new(Sampling::Off).word()),
            plan_is_set: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            state: AtomicU64::new(MARKING),
            unmarked: std::array::from_fn(|_| CachePadded::new(AtomicU64::new(0))),
        }
    }

    /// Takes the configured plan, unless one was set before the first allocation.
    pub(super) fn start<'a>(&self, plan: Plan, pool: impl Fn() -> Option<&'a Pool>) {
        if !self.plan_is_set.swap(true, Ordering::SeqCst) {
            self.set.store(plan.word(), Ordering::SeqCst);
            self.follow(pool);
        }
    }

    /// Goes over to `plan`, widened as it is now. `pool` is asked for the cells of all threads when those that come later
    /// know of the change.
    pub(super) fn set_plan<'a>(&self, plan: Plan, pool: impl Fn() -> Option<&'a Pool>) {
        self.plan_is_set.store(true, Ordering::SeqCst);
        self.set.store(plan.word(), Ordering::SeqCst);
        self.follow(pool);
    }

    /// Widens or narrows the plan as tables that are so full ask for. `pool` as for `set_plan`.
    pub(super) fn steer<'a>(&self, fill: &Fill, pool: impl Fn() -> Option<&'a Pool>) {
        let now = self.widening();
        let next = now.next(fill);
        if next == now {
            return;
        }
        // Of threads that see the same fill at once, one steps; the others find the step taken.
        let stepped = self.widening.compare_exchange(
            now.word(),
            next.word(),
            Ordering::SeqCst,
            Ordering::SeqCst,
        );
        if stepped.is_ok() && next.steps() != now.steps() {
            self.follow(pool);
        }
    }

    /// How much sparser than set sampling is.
    pub(super) fn widening(&self) -> Widening {
        // Relaxed: a step that is seen late is taken late.
        Widening::from_word(self.widening.load(Ordering::Relaxed))
    }

    /// What the user has set, and how much sparser than that sampling is to be.
    pub(super) fn wanted(&self) -> (Plan, Widening) {
        in_one_order();
        let set = Plan::from_word(self.set.load(Ordering::SeqCst));
        let widening = Widening::from_word(self.widening.load(Ordering::SeqCst));
        (set, widening)
    }

    /// Puts in force what is wanted.
    ///
    /// If that changes meanwhile, whoever changed it may have stored its plan before ours: then ours is stale, and we go
    /// again. So the plan that is stored last is what was wanted last. Somebody else has got on each time, so this ends.
    fn follow<'a>(&self, pool: impl Fn() -> Option<&'a Pool>) {
        loop {
            let wanted = self.wanted();
            let (set, widening) = wanted;
            self.adopt(set.widened(widening.steps()), &pool);
            if self.wanted() == wanted {
                return;
            }
        }
    }

    // Sequential consistency throughout: a floor, the state and the number of unmarked blocks are changed by different
    // threads, and each must see the others' change or be seen. All of this is far off the fast path.
    fn adopt<'a>(&self, plan: Plan, pool: impl Fn() -> Option<&'a Pool>) {
        if is_dense(plan.sampling()) {
            let turning = self.begin(TURNING);
            // Pairs with the fence in `settle_floor`: cells that this walk does not see will see the new state.
            fence(Ordering::SeqCst);
            for cells in pool().into_iter().flat_map(Pool::iter) {
                cells.set_mark_floor(0, Ordering::SeqCst);
            }
            let finding = turning & !PHASE | FINDING;
            // If another change has begun meanwhile, that one decides.
            let _ =
                self.state
                    .compare_exchange(turning, finding, Ordering::SeqCst, Ordering::SeqCst);
        } else {
            self.begin(MARKING);
        }
        self.plan.store(plan.word(), Ordering::SeqCst);
    }

    /// Begins a change of the state with `phase`; returns the new state.
    fn begin(&self, phase: u64) -> u64 {
        let next = |state: u64| ((state & !PHASE).wrapping_add(PHASE + 1)) | phase;
        let step = |state| Some(next(state));
        match self
            .state
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, step)
        {
            Ok(before) | Err(before) => next(before),
        }
    }

    fn phase(&self) -> u64 {
        self.state.load(Ordering::SeqCst) & PHASE
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
        // Pairs with the fence in `adopt`.
        fence(Ordering::SeqCst);
        if !self.all_are_marked() {
            cells.set_mark_floor(0, Ordering::SeqCst);
        }
    }

    fn all_are_marked(&self) -> bool {
        // In `MARKING` a share that is zero stays so, but for a moment in which somebody asks in vain: so they need not all
        // be read at once.
        let none = |share: &CachePadded<AtomicU64>| share.load(Ordering::SeqCst) == 0;
        self.phase() == MARKING && {
            in_one_order();
            self.unmarked.iter().all(none)
        }
    }

    /// The share of [`Control::may_leave_unmarked`] that a thread with these cells takes.
    pub(super) fn share_of(cells: &Cells) -> u8 {
        (std::ptr::from_ref(cells) as usize / size_of::<Cells>() % SHARES) as u8
    }

    /// Asks to leave a small sampled block unmarked. If granted, `forget_unmarked` of the same share must follow when it is
    /// freed.
    pub(super) fn may_leave_unmarked(&self, share: u8) -> bool {
        if self.phase() != FINDING {
            return false;
        }
        self.unmarked[usize::from(share)].fetch_add(1, Ordering::SeqCst);
        in_one_order();
        // If the state changed meanwhile, a thread may already have seen none unmarked.
        let granted = self.phase() == FINDING;
        if !granted {
            self.forget_unmarked(share);
        }
        granted
    }

    pub(super) fn forget_unmarked(&self, share: u8) {
        self.unmarked[usize::from(share)].fetch_sub(1, Ordering::SeqCst);
    }
}

fn is_dense(sampling: Sampling) -> bool {
    match sampling {
        Sampling::Off => false,
        Sampling::EveryBlock | Sampling::Blocks { .. } => true,
        Sampling::Bytes { interval } => interval < DENSE,
    }
}

#[cfg(not(loom))]
impl super::Tracker {
    /// Goes over to `plan`.
    pub(crate) fn set_plan(&self, plan: Plan) {
        self.control.set_plan(plan, || self.pool());
    }

    /// How blocks are chosen, as was set.
    pub(crate) fn sampling(&self) -> Sampling {
        self.control.wanted().0.sampling()
    }

    /// Stops taking samples, or goes on.
    pub(crate) fn set_paused(&self, paused: bool) {
        self.control.set_paused(paused);
    }
}

#[cfg(all(test, loom))]
mod models;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::probe::clock::Clock;
    use crate::probe::sampler::Random;

    /// Several threads set plans and take steps at once: what is in force in the end is what was set last, widened by the
    /// steps taken last, and the phase is that of this plan.
    #[test]
    fn the_plan_in_force_is_the_last_one_set_by_the_last_steps() {
        let sets = [
            Sampling::EveryBlock,
            Sampling::Bytes { interval: 8 << 10 },
            Sampling::Bytes { interval: 1 << 20 },
            Sampling::Off,
        ];
        let pool = Pool::new(2).unwrap();
        pool.acquire().unwrap();
        for seed in 0..200 {
            let control = Control::new();
            std::thread::scope(|scope| {
                let (control, pool) = (&control, &pool);
                let steps = |thread: u64| {
                    let mut random = Random::new(seed * 4 + thread);
                    for _ in 0..50 {
                        if thread == 0 {
                            let set = sets[random.next() as usize % sets.len()];
                            control.set_plan(Plan::new(set), || Some(pool));
                        } else {
                            let fill = Fill::of_live(random.next() % 1024, 1024);
                            control.steer(&fill, || Some(pool));
                        }
                    }
                };
                // ThreadSanitizer sees the end of a thread that is joined, but not that of a scope.
                let threads = [0, 1, 2, 3].map(|thread| scope.spawn(move || steps(thread)));
                for thread in threads {
                    thread.join().expect("it does not panic");
                }
            });
            let (set, widening) = control.wanted();
            assert_eq!(control.plan(), set.widened(widening.steps()), "seed {seed}");
            let dense = is_dense(control.plan().sampling());
            let phase = if dense { FINDING } else { MARKING };
            assert_eq!(control.phase(), phase, "seed {seed}");
        }
    }

    /// While a block that was left unmarked is live, whoever may free it looks every free up, whatever changes at once.
    #[test]
    fn every_free_is_looked_up_while_an_unmarked_block_is_live() {
        const ENOUGH: u64 = 3_000;
        let pool = Pool::new(2).unwrap();
        let control = Control::new();
        let dense = Plan::new(Sampling::EveryBlock);
        let rare = Plan::new(Sampling::Bytes { interval: 1 << 20 });
        let (live, met, raised) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        let clock = Clock::start();
        let goes_on = || {
            assert!(clock.uptime() < 30_000_000_000, "{met:?} {raised:?}");
            met.load(Ordering::Relaxed) < ENOUGH || raised.load(Ordering::Relaxed) < ENOUGH
        };
        std::thread::scope(|scope| {
            for plans in [[dense, rare], [rare, dense]] {
                let (control, pool, goes_on) = (&control, &pool, &goes_on);
                scope.spawn(move || {
                    for plan in plans.iter().cycle().take_while(|_| goes_on()) {
                        control.set_plan(*plan, || Some(pool));
                        std::thread::yield_now();
                    }
                });
            }
            for _ in 0..2 {
                scope.spawn(|| {
                    let (cells, _) = pool.acquire().expect("as many cells as threads");
                    while goes_on() {
                        control.settle_floor(cells);
                        raised.fetch_add(u64::from(cells.mark_floor() != 0), Ordering::Relaxed);
                        // The other thread hands over a block while `live` counts it.
                        if live.load(Ordering::Acquire) > 0 {
                            met.fetch_add(1, Ordering::Relaxed);
                            assert_eq!(cells.mark_floor(), 0, "an unmarked block would be missed");
                        }
                        let share = Control::share_of(cells);
                        if control.may_leave_unmarked(share) {
                            live.fetch_add(1, Ordering::Release);
                            std::thread::yield_now();
                            live.fetch_sub(1, Ordering::Relaxed);
                            control.forget_unmarked(share);
                        }
                    }
                });
            }
        });
    }
}

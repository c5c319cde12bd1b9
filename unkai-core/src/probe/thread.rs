//! The one thread-local of unkai: which cells this thread counts on.
//!
//! It is a single pointer, initialised by a constant and without `Drop`, so that it can be read at any time in a
//! thread's life, even in the destructors of other thread-locals. It never is null: a thread without cells of its own
//! points to one of five *sentinels*, whose countdowns are always below zero, so that the fast path needs no test.
//!
//! ```text
//!                first operation                     destructor of `ExitGuard`
//!  UNREGISTERED ────────────────▶ cells of the pool ───────────────────────▶ SHARED
//!        │                          │           ▲                              ▲
//!        │                          ▼ enter     │ leave                        │
//!        │                             INSIDE                                  │
//!        └──────────── no cells to be had, or the thread is ending ────────────┘
//! ```
//!
//! From any of them but `INSIDE` a thread may step `ASIDE`, and comes back to the same. Where the process's limit is to be
//! charged for each operation, a thread with cells points to `CHARGED` in their place, and finds them beside it.

use std::cell::Cell;
use std::mem;

use crate::entered::Entered;
use crate::snapshot::Amount;
use crate::store::cells::{Cells, Direction};

thread_local! {
    static CELLS: Cell<&'static Cells> = const { Cell::new(&UNREGISTERED) };
    /// The cells of a thread that points to `CHARGED`.
    static BEHIND: Cell<&'static Cells> = const { Cell::new(&SHARED) };
    static EXIT: ExitGuard = const { ExitGuard };
    static VISIT: Visit = const { Visit::new() };
}

static UNREGISTERED: Cells = Cells::sentinel();
static INSIDE: Cells = Cells::sentinel();
static SHARED: Cells = Cells::sentinel();
static ASIDE: Cells = Cells::sentinel();
static CHARGED: Cells = Cells::sentinel();

// No destructor, or the variables could not be read while a thread ends.
const _: () = assert!(!mem::needs_drop::<Cell<&'static Cells>>());
const _: () = assert!(!mem::needs_drop::<Visit>());

/// How a thread stands to unkai.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Standing {
    /// It has cells of its own.
    Registered(&'static Cells),
    /// It has cells of its own, but what it does was not counted on them: the limit is to be charged first.
    Charged(&'static Cells),
    /// It has not done anything yet.
    Unregistered,
    /// It is running unkai's own code.
    Inside,
    /// It has no cells of its own, and will get none: count on the shared ones.
    Shared,
    /// It does something that is not the program's: count on its [`Visit`].
    Aside,
}

/// The cells on which this thread counts. What the fast path asks, and all that it asks.
#[inline(always)]
pub fn cells() -> &'static Cells {
    // Not `with`, which is not inlined across units of code generation. There is no destructor, so there is no error.
    CELLS.try_with(Cell::get).unwrap_or(&SHARED)
}

/// What `cells`, which the fast path has counted on, say of the thread.
pub(crate) fn standing_of(cells: &'static Cells) -> Standing {
    let sentinel = |standing, cells: &Cells| {
        cells.reset_sentinel();
        standing
    };
    if std::ptr::eq(cells, &UNREGISTERED) {
        sentinel(Standing::Unregistered, cells)
    } else if std::ptr::eq(cells, &INSIDE) {
        sentinel(Standing::Inside, cells)
    } else if std::ptr::eq(cells, &SHARED) {
        sentinel(Standing::Shared, cells)
    } else if std::ptr::eq(cells, &ASIDE) {
        sentinel(Standing::Aside, cells)
    } else if std::ptr::eq(cells, &CHARGED) {
        // Without a destructor the variable can always be read.
        let behind = BEHIND.try_with(Cell::get).unwrap_or(&SHARED);
        sentinel(Standing::Charged(behind), cells)
    } else {
        Standing::Registered(cells)
    }
}

/// Gives the thread cells of its own, taken by `acquire`. `None` if there are none, or if the thread is ending. If it is to
/// be `charged`, its operations do not count on them by themselves.
pub(crate) fn register(
    charged: bool,
    acquire: impl FnOnce() -> Option<&'static Cells>,
) -> Option<&'static Cells> {
    // While the destructor is registered, which may allocate on some platforms, the thread counts nowhere.
    CELLS.set(&INSIDE);
    let lasting = EXIT.try_with(|_| ()).is_ok();
    let cells = if lasting { acquire() } else { None };
    CELLS.set(match cells {
        Some(cells) if charged => {
            BEHIND.set(cells);
            &CHARGED
        }
        Some(cells) => cells,
        None => &SHARED,
    });
    cells
}

/// Marks the thread as inside unkai until the guard is left.
pub(crate) fn enter() -> Inside {
    Inside {
        resume: CELLS.replace(&INSIDE),
        witness: Entered::vouch(),
    }
}

/// A thread inside unkai. To be ended by [`Inside::leave`].
#[derive(Debug)]
pub(crate) struct Inside {
    resume: &'static Cells,
    witness: Entered,
}

impl Inside {
    pub(crate) fn witness(&self) -> &Entered {
        &self.witness
    }

    /// Ends the visit.
    pub(crate) fn leave(self) {
        CELLS.set(self.resume);
        mem::forget(self);
    }
}

impl Drop for Inside {
    /// Reached by unwinding only. A panic must not leave an allocator: that would be undefined behaviour.
    fn drop(&mut self) {
        std::process::abort();
    }
}

/// Steps aside until the guard is dropped. `None` if the thread has done so already, or is inside unkai.
pub(crate) fn step_aside() -> Option<Aside> {
    let resume = cells();
    if std::ptr::eq(resume, &ASIDE) || std::ptr::eq(resume, &INSIDE) {
        return None;
    }
    CELLS.set(&ASIDE);
    Some(Aside { resume })
}

/// Counts on the visit of this thread, which has stepped aside.
pub(crate) fn count_aside(direction: Direction, bytes: usize) {
    // Without a destructor the variable can always be read.
    let _ = VISIT.try_with(|visit| visit.count(direction, bytes));
}

/// A thread that has stepped aside.
#[derive(Debug)]
pub(crate) struct Aside {
    resume: &'static Cells,
}

impl Drop for Aside {
    fn drop(&mut self) {
        CELLS.set(self.resume);
        if let Ok((allocated, freed)) = VISIT.try_with(Visit::take) {
            crate::process::visit_ends(allocated, freed);
        }
    }
}

/// What a thread has allocated and freed since it stepped aside.
#[derive(Debug)]
struct Visit {
    allocated: Cell<Amount>,
    freed: Cell<Amount>,
}

impl Visit {
    const fn new() -> Self {
        Self {
            allocated: Cell::new(NOTHING),
            freed: Cell::new(NOTHING),
        }
    }

    fn count(&self, direction: Direction, bytes: usize) {
        let count = match direction {
            Direction::Allocated => &self.allocated,
            Direction::Freed => &self.freed,
        };
        let Amount {
            bytes: before,
            blocks,
        } = count.get();
        count.set(Amount {
            bytes: before.wrapping_add(bytes as u64),
            blocks: blocks.wrapping_add(1),
        });
    }

    fn take(&self) -> (Amount, Amount) {
        (self.allocated.replace(NOTHING), self.freed.replace(NOTHING))
    }
}

const NOTHING: Amount = Amount {
    bytes: 0,
    blocks: 0,
};

/// Its destructor runs when the thread ends. Registered at the first operation, so it usually runs last.
struct ExitGuard;

impl Drop for ExitGuard {
    fn drop(&mut self) {
        let cells = CELLS.replace(&SHARED);
        if let Standing::Registered(cells) | Standing::Charged(cells) = standing_of(cells) {
            crate::process::thread_ends(cells);
        }
    }
}

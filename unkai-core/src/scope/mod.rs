//! Who holds how much, and who may have more: a tree of accounts with limits.
//!
//! A [`Scope`] is a place in the tree. What is charged to it counts there and at every level above, and no level ever holds
//! more than its limit. `unkai-allocator` charges a scope for each block; [`Reservation`]s are for memory that no
//! allocator sees. A scope sees no pointer: it knows numbers only.
//!
//! ```text
//!                    process   limit 4 GiB
//!                   ╱        ╲
//!        tenant 7  limit 1 GiB   cache  min 256 MiB
//!         ╱      ╲
//!   query 41    query 42
//!    [stock]     [stock]         bytes drawn ahead through all levels, for the next charges
//! ```
//!
//! An allocation is charged in two steps, because the inner allocator may refuse it in between:
//! [`charge`](Scope::charge), the inner call, [`keep`](Charge::keep); a free is the inner call, then
//! [`uncharge`](Scope::uncharge). So what is charged is never less than what is held.
//!
//! # What is promised
//! 1. **No limit is exceeded**, at any level, by a byte, for a moment. Bytes are taken by compare-exchange against each limit.
//! 2. **A refusal is right**: at some moment during the call, the bytes in use and the request were together above the
//!    limit of the scope that is named, with no byte lying idle in a stock.
//! 3. **A refusal leaves no trace**: what was taken at lower levels goes back before the call returns.
//! 4. **The cost does not grow with depth**, amortised: levels are only touched when a stock runs dry or over, or for a new
//!    peak.
//! 5. **At rest, every number is exact.**
//! 6. **The peak is never too low**, and too high by a stated bound: [`Scope::peak`].
//! 7. **Nothing unwinds, and no code of the user's runs under a lock.**
//!
//! # Where things are
//!
//! | file | is |
//! |---|---|
//! | `handle` | [`Scope`] and [`Charge`]: what users call, and the fast halves |
//! | `builder`, `change` | how a scope is created; what changes it as a whole |
//! | `node`, `children` | the tree itself |
//! | `stock` | bytes drawn ahead, in one word that threads share |
//! | `bias`, `crowd` | bytes drawn ahead for one thread, which then needs no atomic exchange; a stock for each of several |
//! | `barrier`, `thread` | what that takes: a barrier that only one side pays for; a thread's own record |
//! | `levels`, `guarantee` | how bytes move between levels; what is kept for one of them |
//! | `ahead`, `drain` | how much is drawn ahead, for limits and peaks; how it is called in |
//! | `gate` | how one thread can be alone below a scope |
//! | `fork`, `lock` | how a forked child finds nothing half done; the lock of all slow paths |
//! | `charge` | the slow halves, and the decision to refuse |
//! | `refusal` | why |
//! | `reclaim`, `high`, `leak`, `guarded` | the user's code that is called |
//! | `reservation`, `wait` | bytes without an allocator, and waiting for them |
//! | `view` | snapshots |

mod ahead;
mod barrier;
mod bias;
mod builder;
mod change;
mod charge;
mod children;
mod crowd;
mod drain;
mod fork;
mod gate;
mod guarantee;
mod guarded;
mod handle;
mod high;
mod leak;
mod levels;
mod lock;
#[cfg(all(test, loom))]
mod models;
mod node;
mod reclaim;
mod refusal;
mod reservation;
mod stock;
mod thread;
mod view;
mod wait;

pub use builder::{BuildError, ScopeBuilder};
pub use handle::{Charge, Scope, Usage};
pub use high::HighEvent;
pub use leak::Leak;
pub use node::MAX_DEPTH;
pub use reclaim::{ReclaimRequest, ReclaimTried, Reclaimer, Registration};
pub use refusal::{Consumer, Refusal, RefusalCause, Refused, forget_last_refusal, last_refusal};
pub use reservation::Reservation;
pub use view::{Bounds, Omitted, ScopeSnapshot, TreeSnapshot};
pub use wait::{OnExhausted, Reserve};

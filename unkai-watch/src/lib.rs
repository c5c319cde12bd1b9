//! Watches the memory of a program, and acts by rules that its user states.
//!
//! A profile is most wanted in the seconds before memory is gone, when nobody is watching. A [`Watcher`] watches, on a
//! thread of its own: each [`Rule`] is a [`Condition`] on a [`Quantity`], and what to do when it holds.
//!
//! ```
//! use std::alloc::System;
//! use std::time::Duration;
//! use unkai_global::UnkaiGlobalAlloc;
//! use unkai_watch::{Quantity, Rule, Watcher};
//!
//! #[global_allocator]
//! static UNKAI: UnkaiGlobalAlloc<System> =
//!     UnkaiGlobalAlloc::with_config(System, unkai_core::Config::new());
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let (tell, told) = std::sync::mpsc::channel();
//!     let watching = Watcher::new()
//!         .rule(
//!             Rule::new("large", Quantity::LiveBytes.rises_to(64 << 20))
//!                 .look_closer(64 << 10, Duration::from_secs(60))
//!                 .call(move |event| _ = tell.send(event.to_string())),
//!         )
//!         .rule(
//!             Rule::new("near-limit", Quantity::ShareOfLimit.rises_to(0.95))
//!                 .cool_down(Duration::from_secs(600))
//!                 .call(|event| eprintln!("{event}")),
//!         )
//!         .start()?;
//!
//!     let cache = vec![1_u8; 80 << 20];
//!     // "large: live bytes are 80.0 MiB, at or above 64.0 MiB; live 80.0 MiB"
//!     assert!(told.recv()?.starts_with("large: live bytes are 80"));
//!     println!("{}", watching.status());
//!     # drop(cache);
//!     watching.stop();
//!     Ok(())
//! }
//! ```
//!
//! # What happens where
//! ```text
//!  any thread                unkai-watch                          unkai-<rule>, one for each rule
//!  allocates ──▶ alarm ─────▶ read ▶ judge ▶ dump, look closer ──▶ report ▶ log ▶ callback
//!               a flag and    every second,    at once              one event at work, one waits,
//!               a wake-up     and when woken                         the rest is counted
//! ```
//!
//! Nothing of this runs inside an allocation. An allocation raises a flag when live bytes have come to where a rule could
//! fire, which costs nothing until then: the thread compares with one number, as it does for the peak anyway.
//!
//! # How soon a rule fires
//! * **Quantities that follow live bytes** ([`LiveBytes`](Quantity::LiveBytes), [`Growth`](Quantity::Growth),
//!   [`LargestSiteBytes`](Quantity::LargestSiteBytes), [`ShareOfProcessLimit`](Quantity::ShareOfProcessLimit), and what the
//!   heap adds to [`ResidentBytes`](Quantity::ResidentBytes) and [`ShareOfLimit`](Quantity::ShareOfLimit)): the flag is up
//!   before live bytes exceed the threshold by more than **128 KiB for each thread and the block that is being allocated**.
//!   The rule is judged when the watcher's thread has woken: what the program allocates in that time comes on top. That is
//!   some tens of µs on an idle core, and a time slice of the scheduler (some ms) where more threads want to run than there
//!   are cores.
//! * If the alarm went off and the rule did not hold (resident bytes grow later than live bytes; memory was freed at once),
//!   it is set again, at a distance that doubles from 64 KiB up to 1 MiB or 1/64 of live bytes, whichever is more, until
//!   the next tick: by so much more may be missed.
//! * **Everything else** (other processes in the same group, memory that the heap does not know, falling, rates): at the next
//!   tick, a [second](Watcher::every) later at most.
//!
//! # What it costs
//! | | |
//! |---|---|
//! | no watcher, or nothing near a threshold | nothing for the program |
//! | a tick with live bytes only | about 20 µs of one core, most of it the sleep and the wake-up |
//! | a tick with every quantity | about 75 µs: a dozen small files of the system's are read |
//! | memory | a thread, one for each rule that reports, logs or calls back, and 2 KiB for each window |
//! | allocations while nothing fires | none, but every five minutes those that make dumps ready |
//!
//! # Features
//! * `log`: [`Rule::log`](Rule), through the `log` crate.
//! * `pprof`, `flamegraph`: reports in these formats.
//!
//! # Systems
//! On Linux all of it works. Elsewhere there are no resident bytes and no limits of the system: such rules are not judged,
//! and the [`Status`] says so; the watcher looks for the alarm every 10 ms; and there are no dumps.

#![deny(unsafe_code)]

mod board;
mod check;
mod closer;
mod condition;
mod contained;
pub mod control;
mod dump;
mod error;
mod event;
mod file_name;
mod format;
#[cfg(all(unkai_internals, target_os = "linux"))]
#[doc(hidden)]
pub mod internals;
mod judge;
mod limit;
mod mailbox;
mod quantity;
#[cfg(test)]
mod random;
mod readings;
mod reclaim;
mod reports;
mod rule;
mod stamp;
mod status;
mod tick;
mod trigger;
mod watcher;
mod window;
mod worker;

pub use condition::{Condition, Direction};
pub use dump::{Dump, DumpError};
pub use error::{RuleProblem, StartError};
pub use event::Event;
pub use format::{Format, UnknownFormat};
pub use limit::{Limit, LimitKind};
pub use quantity::{Quantity, Threshold, Unit};
pub use reports::{ReportError, Reports};
pub use rule::Rule;
pub use status::{ActionStatus, ReclaimStatus, RuleStatus, Status};
pub use trigger::Trigger;
pub use watcher::{Watcher, Watching};

//! Watches the memory of a program, and acts by rules that its user states.

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
mod judge;
mod limit;
mod mailbox;
mod quantity;
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

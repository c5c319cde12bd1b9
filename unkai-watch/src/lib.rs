//! Watches the memory of a program, and acts by rules that its user states.

#![deny(unsafe_code)]

mod condition;
pub mod control;
mod dump;
mod error;
mod event;
mod format;
mod limit;
mod quantity;
mod reports;
mod rule;
mod status;
mod trigger;
mod watcher;

pub use condition::{Condition, Direction};
pub use dump::{Dump, DumpError};
pub use error::{RuleProblem, StartError};
pub use event::Event;
pub use format::{Format, UnknownFormat};
pub use limit::{Limit, LimitKind};
pub use quantity::{Quantity, Threshold, Unit};
pub use reports::{ReportError, Reports};
pub use rule::Rule;
pub use status::{Failures, RuleStatus, Status};
pub use trigger::Trigger;
pub use watcher::{Watcher, Watching};

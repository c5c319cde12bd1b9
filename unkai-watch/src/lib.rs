//! Watches the memory of a program, and acts by rules that its user states.

#![deny(unsafe_code)]

mod condition;
mod error;
mod event;
mod limit;
mod quantity;
mod rule;
mod status;
mod trigger;
mod watcher;

pub use condition::{Condition, Direction};
pub use error::{RuleProblem, StartError};
pub use event::Event;
pub use limit::{Limit, LimitKind};
pub use quantity::{Quantity, Threshold, Unit};
pub use rule::Rule;
pub use status::{Failures, RuleStatus, Status};
pub use trigger::Trigger;
pub use watcher::{Watcher, Watching};

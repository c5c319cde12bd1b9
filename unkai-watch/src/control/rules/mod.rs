//! Rules in one line that an operator can type.
//!
//! ```text
//! rules     = rule { ";" rule }
//! rule      = [ name ":" ] quantity ( ">" | "<" ) value { option } [ "->" action { "," action } ]
//! quantity  = "live" | "rss" | "share" | "limit" | "site" | "growth" "(" time ")" | "rate" "(" time ")"
//! value     = size            of live, rss, site and growth
//!           | number "%"      of share and limit
//!           | size "/s"       of rate
//! option    = "clear" value | "cooldown" time | "max" number
//! action    = "report" [ "(" format ")" ] | "dump" | "log" | "closer" "(" size "," time ")"
//! ```
//!
//! `spec` is what a rule says, `parse` reads it, `cursor` walks through the text, `error` points into it.

mod cursor;
mod error;
mod parse;
mod spec;

pub use error::{RulesError, RulesProblem};
pub(super) use parse::parse;
pub(super) use spec::{Action, Measure, Spec};

#[cfg(test)]
mod tests;

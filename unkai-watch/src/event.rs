//! What a rule tells when it fires.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use unkai_core::Totals;
use unkai_report::units;

use crate::condition::Direction;
use crate::limit::Limit;
use crate::quantity::{Quantity, Unit};

/// A rule has fired. As text it is one line for people.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// The rule's name.
    pub rule: Arc<str>,
    /// What the rule looks at; `None` if its trigger was pulled.
    pub quantity: Option<Quantity>,
    /// Which way the quantity went.
    pub direction: Direction,
    /// The quantity, in its unit; 0 for a trigger.
    pub value: f64,
    /// What it has crossed, in its unit; 0 for a trigger.
    pub threshold: f64,
    /// For a share of the memory limit: which limit.
    pub limit: Option<Limit>,
    /// When it was read.
    pub at: SystemTime,
    /// How often the rule has fired, this time included.
    pub firing: u64,
    /// The exact totals of the program when the rule was judged.
    pub totals: Totals,
}

impl Event {
    /// What `value` and `threshold` are measured in.
    pub fn unit(&self) -> Unit {
        self.quantity.as_ref().map_or(Unit::Bytes, Quantity::unit)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.rule)?;
        match &self.quantity {
            None => f.write_str("asked for")?,
            Some(quantity) => {
                let verb = if quantity.is_plural() { "are" } else { "is" };
                let way = match self.direction {
                    Direction::Rising => "at or above",
                    Direction::Falling => "at or below",
                };
                let (value, threshold) = (
                    quantity.unit().show(self.value),
                    quantity.unit().show(self.threshold),
                );
                write!(f, "{quantity} {verb} {value}, {way} {threshold}")?;
            }
        }
        if let Some(limit) = &self.limit {
            write!(f, " ({limit})")?;
        }
        let live = units::bytes(self.totals.live_bytes() as f64);
        write!(f, "; live {live}")?;
        if self.firing > 1 {
            write!(f, "; fired {} times", self.firing)?;
        }
        Ok(())
    }
}

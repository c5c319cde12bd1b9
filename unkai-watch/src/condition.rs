//! When a rule holds.

use std::fmt;

use crate::quantity::Quantity;
use crate::trigger::Trigger;

/// When a rule holds: a [`Quantity`] crosses a threshold, or a [`Trigger`] was pulled.
#[derive(Clone, Debug)]
pub struct Condition {
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Crossing {
        quantity: Quantity,
        direction: Direction,
        threshold: f64,
    },
    Pulled(Trigger),
}

/// Which way a quantity has to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Up, to the threshold or above.
    Rising,
    /// Down, to the threshold or below.
    Falling,
}

impl Condition {
    pub(crate) const fn crossing(quantity: Quantity, direction: Direction, threshold: f64) -> Self {
        let kind = Kind::Crossing {
            quantity,
            direction,
            threshold,
        };
        Self { kind }
    }

    /// The quantity; `None` for a trigger.
    pub const fn quantity(&self) -> Option<&Quantity> {
        match &self.kind {
            Kind::Crossing { quantity, .. } => Some(quantity),
            Kind::Pulled(_) => None,
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Crossing {
                quantity,
                direction,
                threshold,
            } => {
                let verb = match (direction, quantity.is_plural()) {
                    (Direction::Rising, true) => "rise to",
                    (Direction::Rising, false) => "rises to",
                    (Direction::Falling, true) => "fall to",
                    (Direction::Falling, false) => "falls to",
                };
                write!(f, "{quantity} {verb} {}", quantity.unit().show(*threshold))
            }
            Kind::Pulled(_) => f.write_str("its trigger is pulled"),
        }
    }
}

//! How long single allocations and frees take, through unkai and without it.

mod probe;
mod record;
mod summary;
mod turns;

pub(crate) use probe::{Probe, Slice};
pub(crate) use record::{Moments, OPERATIONS, SIZES};
pub(crate) use summary::{Rounds, Row};
pub(crate) use turns::{Measured, Turns};

//! Signals, whose handlers do not allocate.

pub(crate) mod handlers;
pub(crate) mod storm;
pub(crate) mod timers;

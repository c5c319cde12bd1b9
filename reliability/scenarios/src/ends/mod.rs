//! How processes end.

pub(crate) mod at_exit;
pub(crate) mod from_a_thread;
mod last_word;

pub(crate) use last_word::SIGNAL;

//! What every report for people says in sentences: what to know before trusting the numbers, how samples were taken, and
//! what could not be recorded.

pub(crate) mod limit;
pub(crate) mod losses;
pub(crate) mod naming;
pub(crate) mod sampling;
pub(crate) mod warnings;

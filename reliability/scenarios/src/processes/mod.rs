//! Processes that make others.

pub(crate) mod a_child_that_ends;
pub(crate) mod fork_under_load;
pub(crate) mod fork_while_charging;
pub(crate) mod fork_while_reporting;
pub(crate) mod forks_in_forks;
pub(crate) mod spawn;

//! Libraries that are loaded and unloaded while the program runs. They are examples of this package, so that cargo builds them
//! beside its programs.

pub(crate) mod allocate_through_the_program;
pub(crate) mod are_unloaded_beside_snapshots;
mod border;
pub(crate) mod have_their_own_unkai;
mod library;

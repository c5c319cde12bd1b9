//! See [`crate::internals`].

use std::path::Path;

use super::limits::Limits;
use super::statm::Statm;
use crate::Limit;

/// The limit of which most is taken, in a file system below `root`, and what was missing.
pub fn limit_below(root: &Path) -> (Option<Limit>, Vec<String>) {
    let own = Statm::open(root).and_then(|statm| statm.read());
    let mut limits = Limits::find(root);
    let limit = limits.read(own);
    (limit, limits.notes().to_vec())
}

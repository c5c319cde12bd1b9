//! What reads files of the system and of others, each by itself, for `reliability/fuzz`. Compiled with `--cfg unkai_internals`
//! only: it is no part of what the crate offers.

use std::path::Path;

use crate::modules::{self, Modules};
use crate::resolve;

/// The modules in a list of mappings that may be anything.
pub fn modules(list: &str) -> Modules {
    modules::code_mappings(list).into_iter().collect()
}

/// The build id of the file at `path`.
pub fn build_id(path: &Path) -> Option<Vec<u8>> {
    modules::build_id(path)
}

/// The memory of a process that no file stands behind, of a `status` that may be anything.
pub fn anonymous_bytes(status: &[u8]) -> Option<u64> {
    resolve::anonymous_bytes(status)
}

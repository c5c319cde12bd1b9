//! What reads text from outside, each by itself, for `reliability/fuzz`. Compiled with `--cfg unkai_internals` only: it is no
//! part of what the crate offers.

pub use crate::control::internals::{report_path, rules};
pub use crate::file_name::internals::{FileKind, is_kept_whole};
pub use crate::readings::internals::limit_below;

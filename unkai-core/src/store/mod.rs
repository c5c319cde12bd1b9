//! What unkai remembers: no thread-local, no static, no clock, no platform, no names.
//!
//! | file | remembers |
//! |---|---|
//! | `region` | memory for the tables, beside the program's heap |
//! | `cells` | the exact counters of one thread |
//! | `pool` | the cells of all threads, past and present |
//! | `trie` | call stacks |
//! | `sites` | estimates for each call stack |
//! | `live` | sampled blocks that are not yet freed |
//! | `peak` | the highest value of live bytes |
//! | `lost` | what could not be recorded |

pub(crate) mod cells;
pub(crate) mod live;
pub(crate) mod lost;
pub(crate) mod peak;
pub(crate) mod pool;
pub(crate) mod region;
pub(crate) mod sites;
pub(crate) mod trie;

//! What unkai remembers: no thread-local, no static, no clock, no platform, no names.
//!
//! | file | remembers |
//! |---|---|
//! | `region` | memory for the tables, beside the program's heap |
//! | `cells` | the exact counters of one thread |
//! | `shared` | those of all threads that have none of their own |
//! | `once` | a value that is set once, without waiting |
//! | `pool` | the cells of all threads, past and present |
//! | `trie` | call stacks |
//! | `sites` | estimates for each call stack |
//! | `memo` | the sites of stacks that were seen lately |
//! | `live` | sampled blocks that are not yet freed |
//! | `room` | how many more of a bounded number there may be |
//! | `peak` | the highest value of live bytes |
//! | `lost` | what could not be recorded |

pub(crate) mod cells;
pub(crate) mod live;
pub(crate) mod lost;
pub(crate) mod memo;
pub(crate) mod once;
pub(crate) mod peak;
pub(crate) mod pool;
pub(crate) mod region;
pub(crate) mod room;
pub(crate) mod shared;
pub(crate) mod sites;
pub(crate) mod trie;

/// Asks the processor to fetch what `place` refers to, for it will be needed soon.
#[inline(always)]
fn prefetch<T>(place: &T) {
    #[cfg(all(target_arch = "x86_64", not(loom)))]
    // SAFETY: a prefetch never faults and changes nothing that a program can see; the address is valid besides.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(place).cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(loom))))]
    let _ = place;
}

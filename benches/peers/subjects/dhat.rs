//! dhat: every block of the system's allocator, with its stack.

use std::mem::forget;

use dhat::{Alloc, HeapStats, Profiler};
use unkai_peers::child::serve;

#[global_allocator]
static HEAP: Alloc = Alloc;

fn main() {
    // Dropped, it would write its file.
    forget(Profiler::new_heap());
    serve(|| match HeapStats::get().total_blocks {
        0 => Err("it recorded nothing".to_owned()),
        blocks => Ok(format!("{blocks} blocks recorded")),
    })
}

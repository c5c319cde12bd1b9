//! cap over mimalloc: live bytes in an atomic that all threads share, no stacks; the limit is never reached.

use cap::Cap;
use mimalloc::MiMalloc;
use unkai_peers::child::serve;

#[global_allocator]
static HEAP: Cap<MiMalloc> = Cap::new(MiMalloc, usize::MAX);

fn main() {
    serve(|| match HEAP.allocated() {
        0 => Err("it counted nothing".to_owned()),
        bytes => Ok(format!("{bytes} bytes counted as live")),
    })
}

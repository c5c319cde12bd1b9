//! mimalloc, bare.

use mimalloc::MiMalloc;
use unkai_peers::child::{nothing_to_record, serve};

#[global_allocator]
static HEAP: MiMalloc = MiMalloc;

fn main() {
    serve(nothing_to_record)
}

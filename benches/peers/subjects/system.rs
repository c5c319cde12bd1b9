//! The system's allocator, bare. heaptrack is run over this one.

use std::alloc::System;

use unkai_peers::child::{nothing_to_record, serve};

#[global_allocator]
static HEAP: System = System;

fn main() {
    serve(nothing_to_record)
}

//! unkai over jemalloc, with its defaults.

use tikv_jemallocator::Jemalloc;
use unkai::{Config, UnkaiGlobalAlloc};

#[path = "proof/unkai.rs"]
mod proof;

#[global_allocator]
static HEAP: UnkaiGlobalAlloc<Jemalloc> = UnkaiGlobalAlloc::with_config(Jemalloc, Config::new());

fn main() {
    proof::serve(&HEAP)
}

//! unkai over mimalloc, with its defaults: exact totals, stacks, live set, peak and lifetimes; one sample every 512 KiB.

use mimalloc::MiMalloc;
use unkai::{Config, UnkaiGlobalAlloc};

#[path = "proof/unkai.rs"]
mod proof;

#[global_allocator]
static HEAP: UnkaiGlobalAlloc<MiMalloc> = UnkaiGlobalAlloc::with_config(MiMalloc, Config::new());

fn main() {
    proof::serve(&HEAP)
}

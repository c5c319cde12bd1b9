//! unkai over mimalloc, with its defaults: exact totals, stacks, live set, peak and lifetimes; one sample every 512 KiB.

use mimalloc::MiMalloc;
use unkai::{Config, UnkaiGlobalAlloc};
use unkai_peers::child::{nothing_to_record, serve};

#[path = "proof/unkai.rs"]
mod proof;

#[global_allocator]
static HEAP: UnkaiGlobalAlloc<MiMalloc> = UnkaiGlobalAlloc::with_config(MiMalloc, Config::new());

fn main() {
    // The row that shows what counting alone costs.
    if std::env::var_os("UNKAI_PEERS_COUNT_ONLY").is_some() {
        HEAP.set_sampling_interval(0);
        serve(nothing_to_record)
    }
    serve(|| proof::of(&HEAP.snapshot()))
}

//! re_memory over mimalloc, with stacks on. It has no interval in bytes: with its defaults it takes the stacks of one in 64
//! blocks of 1 KiB and more, and of all of 1 MiB and more.

use mimalloc::MiMalloc;
use re_memory::accounting_allocator::{self, AccountingAllocator};
use unkai_peers::child::{Proof, serve};

#[global_allocator]
static HEAP: AccountingAllocator<MiMalloc> = AccountingAllocator::new(MiMalloc);

fn main() {
    accounting_allocator::set_tracking_callstacks(true);
    serve(proof)
}

fn proof() -> Proof {
    // What the workloads left behind is below its smallest size.
    let blocks: Vec<Vec<u8>> = (0..1_000).map(|_| Vec::with_capacity(2048)).collect();
    let proof = statistics();
    drop(blocks);
    proof
}

fn statistics() -> Proof {
    let statistics =
        accounting_allocator::tracking_stats().ok_or_else(|| "stacks are off".to_owned())?;
    match statistics.top_callstacks.len() {
        0 => Err("it took no stack".to_owned()),
        stacks => Ok(format!(
            "{stacks} top stacks, {} blocks in the stochastic tier",
            statistics.stochastically_tracked.count
        )),
    }
}

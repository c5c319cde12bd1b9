//! tracking-allocator over mimalloc, with the least a tracker can do: count blocks and bytes. No stacks.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use mimalloc::MiMalloc;
use tracking_allocator::{AllocationGroupId, AllocationRegistry, AllocationTracker, Allocator};
use unkai_peers::child::{Proof, serve};

#[global_allocator]
static HEAP: Allocator<MiMalloc> = Allocator::from_allocator(MiMalloc);

static BLOCKS: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

fn main() {
    AllocationRegistry::set_global_tracker(Counter).expect("the only tracker");
    AllocationRegistry::enable_tracking();
    serve(proof)
}

fn proof() -> Proof {
    match BLOCKS.load(Relaxed) {
        0 => Err("it counted nothing".to_owned()),
        blocks => Ok(format!("{blocks} blocks counted as live")),
    }
}

struct Counter;

impl AllocationTracker for Counter {
    fn allocated(&self, _address: usize, size: usize, _wrapped: usize, _group: AllocationGroupId) {
        BLOCKS.fetch_add(1, Relaxed);
        BYTES.fetch_add(size, Relaxed);
    }

    fn deallocated(
        &self,
        _address: usize,
        size: usize,
        _wrapped: usize,
        _source: AllocationGroupId,
        _current: AllocationGroupId,
    ) {
        BLOCKS.fetch_sub(1, Relaxed);
        BYTES.fetch_sub(size, Relaxed);
    }
}

//! libdd-profiling-heap-allocator over mimalloc, live heap on, one sample every 512 KiB.
//!
//! It samples only while a profiler outside the process is attached to its probe, which it knows by a counter; the crate
//! has a function for tests that raises the counter. Nobody takes stacks then: what is measured is the part of the work
//! that is done in the process, without the price of the probe.

use std::ptr::null_mut;

use libdd_profiling_heap_allocator::{
    SampledAllocator, is_profiler_attached, set_default_sampling_distance,
};
use libdd_profiling_heap_sampler::{dd_sample_flag_peek, dd_test_set_profiler_active};
use mimalloc::MiMalloc;
use unkai_peers::child::{Proof, serve};

#[global_allocator]
static HEAP: SampledAllocator<MiMalloc> = SampledAllocator::new(MiMalloc);

fn main() {
    set_default_sampling_distance(512 << 10);
    // SAFETY: it sets a counter that only probes look at.
    unsafe { dd_test_set_profiler_active(true) };
    serve(proof)
}

fn proof() -> Proof {
    if !is_profiler_attached() {
        return Err("it believes that no profiler is attached".to_owned());
    }
    let blocks: Vec<Vec<u8>> = (0..20_000).map(|_| Vec::with_capacity(512)).collect();
    let sampled = blocks.iter().filter(|block| {
        let (mut raw, mut offset) = (null_mut(), 0);
        let block = block.as_ptr().cast_mut().cast();
        // SAFETY: it reads the two words before the block, as each free does, and writes to our two variables.
        unsafe { dd_sample_flag_peek(block, &mut raw, &mut offset) }
    });
    match sampled.count() {
        0 => Err("it took no sample".to_owned()),
        samples => Ok(format!("{samples} samples of 20,000 blocks of 512 B")),
    }
}

//! mimalloc-pprof: a mimalloc with a profiler inside, idle, or started if `MIMALLOC_PROF` says so.

use mimalloc_pprof::{MiMalloc, prof};
use unkai_peers::child::{Proof, serve};

#[global_allocator]
static HEAP: MiMalloc = MiMalloc;

fn main() {
    serve(proof)
}

fn proof() -> Proof {
    let statistics = prof::stats();
    if !statistics.enabled {
        return Ok("records nothing".to_owned());
    }
    match statistics.live_samples {
        0 => Err("it took no sample".to_owned()),
        samples => Ok(format!(
            "{samples} live samples at {} stacks, one every {} bytes",
            statistics.unique_stacks, statistics.sample_rate
        )),
    }
}

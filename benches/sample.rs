//! What a sample costs: the difference between "every block" and "no block" is one sample and the free of its block.
//!
//! ```text
//! cargo bench --bench sample
//! ```

#[path = "workloads/sampling.rs"]
#[allow(dead_code, reason = "no bench uses all of it")]
mod sampling;
#[allow(dead_code, reason = "no bench uses all of it")]
mod workloads;

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

use sampling::{deeper, set_interval};
use workloads::heaps::{PAIRS, prepare};
use workloads::hot_pair;

fn sample(criterion: &mut Criterion) {
    prepare();
    let heap = &PAIRS[0].tracked;
    let mut group = criterion.benchmark_group("alloc and free of 64 B over mimalloc");
    for (sampled, interval, depth) in [
        ("no block", 0, 0),
        ("one block in 512 KiB", 512 << 10, 0),
        ("every block", 1, 0),
        ("every block, 10 frames deeper", 1, 10),
        ("every block, 30 frames deeper", 1, 30),
    ] {
        set_interval(interval);
        group.bench_function(BenchmarkId::new("sampled", sampled), |bencher| {
            bencher.iter_custom(|pairs| deeper(depth, &mut || hot_pair(heap, pairs)));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500));
    targets = sample
}
criterion_main!(benches);

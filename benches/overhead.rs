//! Each workload over each allocator, bare and behind unkai, by criterion: for comparing two versions of unkai, with
//! `--save-baseline` and `--baseline`.
//!
//! Criterion measures one thing after the other, so on a noisy machine its figures for bare and tracked heap may come from
//! different times. For the cost of unkai as one number, see the bench `ratios`.
//!
//! ```text
//! cargo bench --bench overhead
//! cargo bench --bench overhead -- "hot pair"
//! ```

#[allow(dead_code, reason = "no bench uses all of it")]
mod workloads;

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

use workloads::WORKLOADS;
use workloads::heaps::{PAIRS, prepare};

fn overhead(criterion: &mut Criterion) {
    prepare();
    for workload in &WORKLOADS {
        let mut group = criterion.benchmark_group(workload.name);
        for pair in &PAIRS {
            for (side, heap) in [("bare", pair.bare), ("unkai", pair.tracked)] {
                group.bench_function(BenchmarkId::new(pair.name, side), |bencher| {
                    bencher.iter_custom(|operations| (workload.run)(&heap, operations));
                });
            }
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(300));
    targets = overhead
}
criterion_main!(benches);

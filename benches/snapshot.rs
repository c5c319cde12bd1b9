//! What it costs to look: `usage`, and `snapshot` of few and of many sites.
//!
//! ```text
//! cargo bench --bench snapshot
//! ```

#[path = "workloads/sampling.rs"]
#[allow(dead_code, reason = "no bench uses all of it")]
mod sampling;
#[allow(dead_code, reason = "no bench uses all of it")]
mod workloads;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

use sampling::set_interval;
use workloads::heaps::{Block, PAIRS, TRACKED, prepare};

fn snapshot(criterion: &mut Criterion) {
    prepare();
    set_interval(1);
    criterion.bench_function("usage", |bencher| bencher.iter(|| TRACKED.usage()));

    let mut group = criterion.benchmark_group("snapshot");
    let mut live = Vec::new();
    let mut next_path = 0;
    for sites in [100, 1_000, 10_000] {
        while TRACKED.snapshot().sites.len() < sites {
            for _ in 0..sites / 20 {
                live.push(allocate_by_path(next_path));
                next_path += 1;
            }
        }
        measure(&mut group, live.len());
    }
    live.extend((0..100_000).map(|_| allocate_by_path(0)));
    measure(&mut group, live.len());
    group.finish();

    let heap = &PAIRS[0].tracked;
    live.into_iter().for_each(|block| heap.give_back(block));
}

type Group<'a> = criterion::BenchmarkGroup<'a, criterion::measurement::WallTime>;

fn measure(group: &mut Group<'_>, samples: usize) {
    let sites = TRACKED.snapshot().sites.len();
    let what = BenchmarkId::from_parameter(format!("{sites} sites, {samples} live samples"));
    group.bench_function(what, |bencher| bencher.iter(|| TRACKED.snapshot()));
}

/// Allocates a block from a call stack that `path` alone leads to: each of its bits says which way a call goes.
fn allocate_by_path(path: u32) -> Block {
    if path & 1 == 0 {
        left(path >> 1, 14)
    } else {
        right(path >> 1, 14)
    }
}

#[inline(never)]
fn left(path: u32, frames: u32) -> Block {
    black_box("left");
    step(path, frames)
}

#[inline(never)]
fn right(path: u32, frames: u32) -> Block {
    black_box("right");
    step(path, frames)
}

#[inline(always)]
fn step(path: u32, frames: u32) -> Block {
    // What is done with the result keeps each call a call of its own.
    match (frames, path & 1) {
        (0, _) => black_box(PAIRS[0].tracked.take(64)),
        (_, 0) => black_box(left(path >> 1, frames - 1)),
        _ => black_box(right(path >> 1, frames - 1)),
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500));
    targets = snapshot
}
criterion_main!(benches);

//! What a limit costs: a pair of allocation and free of 64 bytes, over an allocator that does nothing, the system's and
//! mimalloc; and what else one does with scopes. One minute.
//!
//! ```text
//! cargo bench -p unkai-allocator --bench charge
//! ```
//!
//! After criterion's own output stands a table: for each measurement the lower quartile of its samples, which what else the
//! machine does disturbs less than their time, and its ratio to the first line of its group. Where several threads work, the time is for all of the work, which is the same however many threads share it: a ratio below 1
//! means that they get done sooner together.
#![cfg_attr(feature = "nightly", feature(allocator_api))]

#[allow(dead_code, reason = "no bench uses all of it")]
mod subjects;

use std::alloc::{GlobalAlloc, System};
use std::cell::RefCell;
use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use cap::Cap;
use criterion::Criterion;
use mimalloc::MiMalloc;
use unkai_allocator::api::Allocator;
use unkai_allocator::{Bounds, Scope, Unkai};

use subjects::{BLOCK, LIMIT, Nothing, Of, Shared, at_depth, chain, pairs, root};

fn main() {
    let mut bench = Bench {
        criterion: Criterion::default()
            .sample_size(20)
            .nresamples(2000)
            .warm_up_time(Duration::from_millis(150))
            .measurement_time(Duration::from_millis(600))
            .without_plots()
            .configure_from_args(),
        lines: Vec::new(),
    };
    pairs_over(&mut bench, "nothing", || Nothing);
    pairs_over(&mut bench, "System", || System);
    pairs_over(&mut bench, "mimalloc", || MiMalloc);
    threads_over(&mut bench, "nothing", || Nothing);
    threads_over(&mut bench, "System", || System);
    threads_over(&mut bench, "mimalloc", || MiMalloc);
    climbs(&mut bench);
    scopes(&mut bench);
    bench.criterion.final_summary();
    bench.print();
}

/// Uncontended pairs.
fn pairs_over<G: GlobalAlloc>(bench: &mut Bench, name: &str, inner: fn() -> G) {
    let group = &format!("pair over {name}");
    bench.pairs(group, "bare", &Of(inner()));
    for depth in [1, 4, 16] {
        bench.pairs(
            group,
            &format!("depth {depth}"),
            &at_depth(Of(inner()), depth),
        );
    }
    bench.pairs(group, "cap", &Of(Cap::new(inner(), LIMIT)));
    bench.pairs(group, "shared number", &Shared::new(Of(inner())));
}

/// The same number of pairs by one thread, and by two.
fn threads_over<G: GlobalAlloc + Sync>(bench: &mut Bench, name: &str, inner: fn() -> G) {
    let one = at_depth(Of(inner()), 2);
    let group = &format!("work of 1 or 2 threads over {name}");
    bench.threads(group, "one scope, 1 thread", &[&one]);
    bench.threads(group, "one scope, 2 threads", &[&one, &one]);
    let root = root();
    let leaves = [2, 2].map(|depth| Unkai::in_scope(Of(inner()), &chain(&root, depth)));
    bench.threads(
        group,
        "two scopes of one root, 2 threads",
        &[&leaves[0], &leaves[1]],
    );
    let bare = Of(inner());
    bench.threads(group, "bare, 1 thread", &[&bare]);
    bench.threads(group, "bare, 2 threads", &[&bare, &bare]);
    let cap = Of(Cap::new(inner(), LIMIT));
    bench.threads(group, "cap, 1 thread", &[&cap]);
    bench.threads(group, "cap, 2 threads", &[&cap, &cap]);
    let shared = Shared::new(Of(inner()));
    bench.threads(group, "shared number, 1 thread", &[&shared]);
    bench.threads(group, "shared number, 2 threads", &[&shared, &shared]);
}

/// A scope's first mebibyte in blocks of 64 bytes, each of which is a new peak; and back.
fn climbs(bench: &mut Bench) {
    let group = "climb to 1 MiB and back, over nothing";
    bench.add(group, "shared number", || {
        let shared = Shared::new(Of(Nothing));
        climb(&shared)
    });
    for depth in [1, 16] {
        bench.add(group, &format!("depth {depth}"), || {
            climb(&at_depth(Of(Nothing), depth))
        });
    }
}

fn climb(allocator: &impl Allocator) -> Duration {
    let blocks = (1 << 20) / BLOCK.size();
    let start = Instant::now();
    let mut held = None;
    for _ in 0..blocks {
        held = black_box(allocator.allocate(BLOCK).ok());
    }
    for _ in 0..blocks {
        if let Some(block) = held {
            // SAFETY: all blocks of `Nothing` are alike, and as many are freed as were allocated.
            unsafe { allocator.deallocate(block.cast(), BLOCK) };
        }
    }
    start.elapsed()
}

fn scopes(bench: &mut Bench) {
    let timed = |run: &dyn Fn()| {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    let (parent, deep) = (chain(&root(), 2), chain(&root(), 16));
    let create = |parent: &Scope| black_box(parent.child("query 7").limit(LIMIT).build());
    let group = "a scope's life";
    bench.add(group, "create, drop", || timed(&|| drop(create(&parent))));
    bench.add(group, "create, charge, uncharge, drop", || {
        timed(&|| {
            if let Ok(scope) = create(&parent)
                && let Ok(charge) = scope.charge(1000)
            {
                charge.keep();
                scope.uncharge(1000);
            }
        })
    });
    bench.add(group, "create, drop at depth 16", || {
        timed(&|| drop(create(&deep)))
    });

    let root = root();
    let children: Vec<_> = (0..100).filter_map(|_| create(&root).ok()).collect();
    let grandchildren: Vec<_> = children
        .iter()
        .flat_map(|child| (0..99).filter_map(|_| create(child).ok()))
        .collect();
    for (number, scope) in grandchildren.iter().enumerate() {
        if let Ok(charge) = scope.charge(1 + number) {
            charge.keep();
        }
    }
    let group = "a look at 10,000 scopes";
    for (name, bounds) in [
        ("snapshot of all", Bounds::all()),
        ("snapshot of the twenty largest of each", Bounds::new()),
    ] {
        bench.add(group, name, || {
            timed(&|| drop(black_box(root.snapshot(bounds))))
        });
    }
    bench.add(group, "used", || timed(&|| _ = black_box(root.used())));
    bench.add(group, "reserved", || {
        timed(&|| _ = black_box(root.reserved()))
    });
    // One byte more than is left: the stocks of all are called in to be certain.
    root.set_limit(Some(root.used() + 1000));
    bench.add(group, "refusal", || {
        timed(&|| drop(black_box(root.try_reserve(1001))))
    });
}

struct Bench {
    criterion: Criterion,
    lines: Vec<Line>,
}

/// A measurement, and the lower quartile of its samples in nanoseconds.
struct Line {
    group: String,
    name: String,
    time: f64,
}

impl Bench {
    fn pairs(&mut self, group: &str, name: &str, allocator: &impl Allocator) {
        self.measure(group, name, |times| {
            let start = Instant::now();
            pairs(allocator, times);
            start.elapsed()
        });
    }

    /// Shares the work out among one thread for each allocator.
    fn threads<A: Allocator + Sync>(&mut self, group: &str, name: &str, allocators: &[&A]) {
        self.measure(group, name, |times| {
            // So long that the start of threads does not count.
            const EACH: u64 = 64;
            let times = EACH * times / allocators.len() as u64;
            let together = Barrier::new(allocators.len() + 1);
            let took = thread::scope(|scope| {
                for allocator in allocators {
                    let together = &together;
                    scope.spawn(move || {
                        together.wait();
                        pairs(*allocator, times);
                        together.wait();
                    });
                }
                together.wait();
                let start = Instant::now();
                together.wait();
                start.elapsed()
            });
            took / EACH as u32
        });
    }

    /// A `once` that measures itself.
    fn add(&mut self, group: &str, name: &str, once: impl Fn() -> Duration) {
        self.measure(group, name, |times| (0..times).map(|_| once()).sum());
    }

    fn measure(&mut self, group: &str, name: &str, run: impl Fn(u64) -> Duration) {
        let samples = RefCell::new(Vec::new());
        self.criterion
            .bench_function(&format!("{group}/{name}"), |bencher| {
                bencher.iter_custom(|times| {
                    let took = run(times);
                    // The first ones warm up, with few operations each.
                    if times >= 8 || took > Duration::from_micros(100) {
                        samples
                            .borrow_mut()
                            .push(took.as_secs_f64() * 1e9 / times as f64);
                    }
                    took
                });
            });
        let mut samples = samples.into_inner();
        samples.sort_by(f64::total_cmp);
        if let Some(&time) = samples.get(samples.len() / 4) {
            self.lines.push(Line {
                group: group.to_owned(),
                name: name.to_owned(),
                time,
            });
        }
    }

    fn print(&self) {
        let mut first: Option<&Line> = None;
        for line in &self.lines {
            let base = match first {
                Some(first) if first.group == line.group => first,
                _ => {
                    println!("\n{}", line.group);
                    first = Some(line);
                    line
                }
            };
            println!(
                "  {:<42} {:>12.1} ns  {:>6.2}",
                line.name,
                line.time,
                line.time / base.time
            );
        }
    }
}

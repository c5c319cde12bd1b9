//! A profiler of the CPU's time: its signals come anywhere, also within unkai, and its handler walks the stack as unkai may be
//! doing at that moment.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use pprof::ProfilerGuardBuilder;

use crate::describe::{Names, describe_fully};
use crate::heap::{Heap, totals_are_exact};
use crate::raised::RaisedAtTheEnd;

const SIGNALS_IN_A_SECOND: i32 = 999;

const BETWEEN_REPORTS: Duration = Duration::from_millis(300);

/// Samples of the CPU profiler to wait for, at least.
const SAMPLES: isize = 200;

pub(crate) fn play(heap: &'static dyn Heap) {
    let profiler = ProfilerGuardBuilder::default()
        .frequency(SIGNALS_IN_A_SECOND)
        .build()
        .expect("a timer");
    let done = AtomicBool::new(false);
    let samples = thread::scope(|scope| {
        let _end = RaisedAtTheEnd(&done);
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(SeqCst) {
                    black_box(work(12, 100));
                }
            });
        }
        let mut looked = Instant::now();
        loop {
            (0..200).for_each(|levels| drop(black_box(work(levels % 30, levels))));
            drop(heap.snapshot());
            // While it makes its report it lets signals go.
            if looked.elapsed() > BETWEEN_REPORTS {
                looked = Instant::now();
                describe_fully(heap, Names::LeftOut);
                let report = profiler.report().build_unresolved().expect("a report");
                let samples: isize = report.data.values().sum();
                if samples >= SAMPLES {
                    break samples;
                }
            }
        }
    });
    drop(profiler);
    eprintln!("{samples} samples of the CPU profiler");
    totals_are_exact(heap, "after a profile of the CPU");
    let snapshot = heap.snapshot();
    assert!(snapshot.sites.iter().any(|site| site.stack.len() > 3));
}

#[inline(never)]
fn work(levels: usize, size: usize) -> Vec<u8> {
    let mut block = black_box(vec![1_u8; size + 10]);
    if let Some(levels) = levels.checked_sub(1) {
        block.extend_from_slice(&work(levels, size));
        block.truncate(size);
        block.shrink_to_fit();
    }
    block
}

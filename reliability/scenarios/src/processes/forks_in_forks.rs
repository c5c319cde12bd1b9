//! Children that fork, from the main thread and from others, with threads of their own that allocate.

use std::ffi::c_void;
use std::ptr;

use crate::bare_thread::BareThread;
use crate::child::{self, Progress};
use crate::describe::{Format, Names, describe};
use crate::heap::{Heap, apart, totals_are_exact, totals_have_moved_alike};
use crate::load::{Load, churn};

const GENERATIONS: u32 = 5;
const ROUNDS: u64 = 4;
const FORKS_FROM_THREADS: u64 = 40;

pub(crate) fn play(heap: &'static dyn Heap) {
    for round in 0..ROUNDS {
        let load = Load::start(2, round);
        child::play("first generation", |progress| {
            generation(heap, 1, progress);
        });
        load.stop();
    }
    totals_are_exact(heap, "in the first of all");

    let load = Load::start(2, 5);
    // Several threads fork at once.
    std::thread::scope(|scope| {
        for thread in 0..3 {
            scope.spawn(move || {
                churn(thread, 100);
                for _ in 0..FORKS_FROM_THREADS {
                    child::play("from a thread", |progress| {
                        generation(heap, GENERATIONS - 1, progress);
                    });
                }
            });
        }
    });
    load.stop();
    totals_are_exact(heap, "after forks from threads");
}

/// Each child starts threads and forks while they allocate, down to the last generation.
fn generation(heap: &'static dyn Heap, number: u32, progress: &Progress) {
    progress.at(&"threads in a child");
    let before = apart(heap);
    // Not `Load`, whose lock another thread may have held at the fork.
    let sizes = if heap.children_may_start_threads() {
        &[100, 200][..]
    } else {
        &[]
    };
    let start = |&size| BareThread::start(allocate, size);
    let threads: Vec<_> = sizes.iter().map(start).collect();
    progress.at(&"allocating");
    blocks(77);
    if number < GENERATIONS {
        progress.at(&"the next generation");
        child::play("a child of a child", |progress| {
            generation(heap, number + 1, progress);
        });
    }
    progress.at(&"the ends of threads");
    threads.into_iter().for_each(BareThread::join);
    progress.at(&"a report");
    describe(heap, Names::LeftOut, Format::Json);
    progress.at(&"the totals");
    totals_have_moved_alike(heap, before);
}

extern "C" fn allocate(size: *mut c_void) -> *mut c_void {
    blocks(size.addr());
    ptr::null_mut()
}

fn blocks(size: usize) {
    let kept: Vec<Vec<u8>> = (0..200).map(|n| vec![1; size + n]).collect();
    std::hint::black_box(&kept);
}

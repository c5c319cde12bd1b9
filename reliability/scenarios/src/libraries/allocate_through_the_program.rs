//! A library that has the program's allocator: blocks cross the border both ways, and stacks lead through its code. It is
//! loaded and unloaded many times, while other threads allocate.

use std::alloc::{Layout, alloc, dealloc, realloc};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

use super::border::{Block, Host};
use super::library::Library;
use crate::describe::{Names, describe_fully};
use crate::heap::{Heap, sample_from_here_on, totals_are_exact};
use crate::raised::RaisedAtTheEnd;

/// More often than unkai makes lists of modules: 64 at most.
const ROUNDS: usize = 100;

static HOST: Host = Host {
    alloc: host_alloc,
    dealloc: host_dealloc,
    realloc: host_realloc,
};

pub(crate) fn play(heap: &'static dyn Heap) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let _end = RaisedAtTheEnd(&done);
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(SeqCst) {
                    (1..200).for_each(|size| drop(black_box(vec![0_u8; size * 10])));
                    thread::yield_now();
                }
            });
        }
        for round in 0..ROUNDS {
            load_and_unload(heap, round);
        }
    });
    stacks_lead_through_it(heap);
    totals_are_exact(heap, "after all");
    // With sites whose code is gone, whose names may be known from before.
    assert!(describe_fully(heap, Names::Found).contains("live"));
    a_thread_that_used_it_lives_on(heap);
}

fn load_and_unload(heap: &dyn Heap, round: usize) {
    let library = begin();
    let from_there = thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| work(&library, 20));
        }
        crossing(&library, round)
    });
    if round.is_multiple_of(2) {
        drop(heap.snapshot());
    }
    assert!(library.unload(), "nothing of it is in use");
    // Blocks that its code allocated outlive it.
    assert!(from_there.iter().flatten().all(|&byte| byte == 2));
    drop(from_there);
    if round.is_multiple_of(15) {
        drop(heap.snapshot());
        describe_fully(heap, Names::LeftOut);
    }
}

/// Blocks of either side are freed by the other; some that the library has given are returned.
fn crossing(library: &Library, round: usize) -> Vec<Vec<u8>> {
    // SAFETY: this is its type, and it is called while the library is there.
    let give = unsafe { library.function::<extern "C" fn(usize) -> Block>(c"give") };
    // SAFETY: as above.
    let take = unsafe { library.function::<extern "C" fn(Block) -> usize>(c"take") };
    (1..10)
        .filter_map(|size| {
            let size = size * (round % 7 + 1) * 100;
            assert_eq!(take(Block::of(vec![1; size])), size);
            let given = give(size).into_vec();
            assert_eq!((given.len(), given[size - 1]), (size, 2));
            size.is_multiple_of(4).then_some(given)
        })
        .collect()
}

/// With each block a sample, what the library's code holds is in sites with that code in their stacks.
fn stacks_lead_through_it(heap: &dyn Heap) {
    sample_from_here_on(heap, 1);
    let library = begin();
    // Once before unkai knows the library, and once after.
    for _ in 0..2 {
        // SAFETY: this is its type, and it is called while the library is there.
        let give = unsafe { library.function::<extern "C" fn(usize) -> Block>(c"give") };
        let block = give(TELLING).into_vec();
        let snapshot = heap.snapshot();
        let mut sites = snapshot.sites.iter();
        let site = sites.find(|site| site.live.bytes == TELLING as f64);
        let stack = &site.expect("a site of its own").stack;
        let inside = stack
            .iter()
            .position(|&frame| library.contains(frame, c"give"));
        let inside = inside.expect("a frame of the library");
        let outside = &stack[inside..];
        let here = outside
            .iter()
            .any(|&frame| !library.contains(frame, c"give"));
        assert!(here, "it does not lead back to the program");
        drop(block);
        drop(snapshot);
    }
    assert!(library.unload());
}

/// While a thread is to run a destructor of the library's, the loader keeps it; unkai does, too.
fn a_thread_that_used_it_lives_on(heap: &dyn Heap) {
    let library = begin();
    // SAFETY: this is its type, and it is called while the library is there.
    let keep = unsafe { library.function::<extern "C" fn(usize) -> usize>(c"keep") };
    thread::scope(|scope| {
        let (closed, wait) = std::sync::mpsc::channel();
        let (kept, ready) = std::sync::mpsc::channel();
        let user = scope.spawn(move || {
            (1..100).for_each(|size| assert_eq!(keep(size), size));
            kept.send(()).expect("somebody waits");
            wait.recv().expect("it will be closed");
            (1..100).for_each(|size| drop(black_box(vec![0_u8; size])));
        });
        ready.recv().expect("it keeps");
        assert!(!library.unload(), "a thread still has a destructor to run");
        describe_fully(heap, Names::LeftOut);
        closed.send(()).expect("the thread waits");
        // Its destructors, too, which the end of the scope would not wait for.
        user.join().expect("it ends well");
    });
    // The loader looks again when something is unloaded.
    assert!(begin().unload());
    describe_fully(heap, Names::LeftOut);
    totals_are_exact(heap, "after a destructor of the library's");
}

fn begin() -> Library {
    let library = Library::load("allocating_library");
    // SAFETY: this is its type, and it is called while the library is there.
    let begin = unsafe { library.function::<extern "C" fn(&'static Host)>(c"begin") };
    begin(&HOST);
    library
}

fn work(library: &Library, rounds: usize) {
    // SAFETY: this is its type, and it is called while the library is there.
    let work = unsafe { library.function::<extern "C" fn(usize) -> usize>(c"work") };
    assert!(work(rounds) > rounds);
}

unsafe extern "C" fn host_alloc(size: usize, align: usize) -> *mut u8 {
    // SAFETY: from a layout on the other side, not of size zero.
    unsafe { alloc(layout(size, align)) }
}

unsafe extern "C" fn host_dealloc(block: *mut u8, size: usize, align: usize) {
    // SAFETY: a block of this allocator, with the layout that the other side knows.
    unsafe { dealloc(block, layout(size, align)) }
}

unsafe extern "C" fn host_realloc(
    block: *mut u8,
    size: usize,
    align: usize,
    new: usize,
) -> *mut u8 {
    // SAFETY: as above.
    unsafe { realloc(block, layout(size, align), new) }
}

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).expect("a layout on the other side")
}

/// A size that nothing else allocates.
const TELLING: usize = 12_347;

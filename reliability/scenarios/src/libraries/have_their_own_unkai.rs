//! A library with an unkai of its own: two heaps, two profiles, and neither knows of the other. It is loaded and unloaded many
//! times; a thread that has used it outlives the wish to unload it.

use std::hint::black_box;
use std::sync::mpsc::channel;
use std::thread;

use super::library::Library;
use crate::child;
use crate::describe::{Names, describe_fully};
use crate::heap::{Heap, totals_are_exact};
use crate::limits::address_space;
use crate::under;

const ROUNDS: usize = 20;

/// What a copy of the library may leave behind: its tables reserve 18.3 MiB.
const ADDRESS_SPACE_OF_EACH: u64 = 19 << 20;
/// And they use less than half a MiB of it; somewhat more without optimisation, where stacks have more frames.
const RESIDENT_OF_EACH: u64 = if cfg!(debug_assertions) {
    896 << 10
} else {
    640 << 10
};

pub(crate) fn play(heap: &'static dyn Heap) {
    load_use_and_unload(heap);
    what_stays_is_bounded(heap);
    totals_are_exact(heap, "after a library with its own unkai");
    describe_fully(heap, Names::LeftOut);
    a_thread_that_used_it_lives_on(heap);
    totals_are_exact(heap, "after its destructors");
    describe_fully(heap, Names::Found);
}

/// The tables of an unkai are never unmapped, for nobody can know who still looks at them. Nothing else stays.
fn what_stays_is_bounded(heap: &'static dyn Heap) {
    let now = || [address_space(), resident(heap)];
    let mut left = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        let before = now();
        load_use_and_unload(heap);
        for ((left, now), before) in left.iter_mut().zip(now()).zip(before) {
            left.push(now.saturating_sub(before));
        }
    }
    // Of the program's own allocator, too, memory grows now and then: not in each round.
    let [address_space, resident] = left.map(|mut left| {
        left.sort_unstable();
        left[left.len() / 2]
    });
    eprintln!(
        "each copy of the library leaves {} KiB of address space behind, {} KiB of them in use",
        address_space / 1024,
        resident / 1024,
    );
    // A tool has memory of its own in this process, for each library, too.
    if under::tool().is_none() {
        assert!(address_space <= ADDRESS_SPACE_OF_EACH, "{address_space}");
        assert!(resident <= RESIDENT_OF_EACH, "{resident}");
    }
}

fn resident(heap: &dyn Heap) -> u64 {
    heap.snapshot().resident_bytes.expect("Linux says")
}

/// The library counts on thread-locals with destructors, also when it is loaded: it can only be unloaded once the threads that
/// have loaded and used it are gone.
fn load_use_and_unload(heap: &dyn Heap) {
    let load = || Library::load("library_with_unkai");
    let library = thread::scope(|scope| scope.spawn(load).join().expect("it loads"));
    thread::scope(|scope| {
        let user = scope.spawn(|| {
            // SAFETY: this is its type, and it is called while the library is there.
            let work = unsafe { library.function::<extern "C" fn(usize) -> u64>(c"work") };
            // SAFETY: as above.
            let sites = unsafe { library.function::<extern "C" fn() -> usize>(c"sites") };
            // SAFETY: as above.
            let charge = unsafe { library.function::<extern "C" fn(usize) -> usize>(c"charge") };
            assert_eq!(charge(1000), 1000);
            // What the library counts is what it does, whatever the program does.
            let (before, counted) = (heap.counted(), work(1000));
            let expected: u64 = (0..1000).map(|round| round % 5000 + 1).sum();
            assert_eq!(counted, expected);
            assert_eq!(heap.counted(), before, "it is not the program's heap");
            assert!(sites() > 0, "no site, or a loss");
        });
        user.join().expect("it works");
    });
    thread::scope(|scope| {
        let call_back = || {
            // SAFETY: this is its type, and it is called while the library is there.
            let call_back = unsafe {
                library.function::<extern "C" fn(extern "C" fn()) -> usize>(c"call_back")
            };
            (0..50).for_each(|_| assert_eq!(call_back(churn), 100));
        };
        // Joined one by one: the end of the scope does not wait for destructors.
        for user in [scope.spawn(call_back), scope.spawn(call_back)] {
            user.join().expect("it calls back");
        }
    });
    drop(heap.snapshot());
    assert!(library.unload(), "nobody uses it any more");
    drop(heap.snapshot());
    // Its scopes wanted to know of forks.
    child::play("after a library with scopes has gone", |_| churn());
}

/// Of the program, called by the library's code.
extern "C" fn churn() {
    (1..20).for_each(|size| drop(black_box(vec![0_u8; size * 100])));
}

fn a_thread_that_used_it_lives_on(heap: &dyn Heap) {
    let load = || Library::load("library_with_unkai");
    let library = thread::scope(|scope| scope.spawn(load).join().expect("it loads"));
    // SAFETY: this is its type, and it is called while the library is there.
    let keep = unsafe { library.function::<extern "C" fn(usize) -> usize>(c"keep") };
    thread::scope(|scope| {
        let (closed, wait) = channel();
        let (kept, ready) = channel();
        let user = scope.spawn(move || {
            (1..100).for_each(|size| assert_eq!(keep(size), size));
            kept.send(()).expect("somebody waits");
            wait.recv().expect("it will be closed");
            churn();
        });
        ready.recv().expect("it keeps");
        assert!(!library.unload(), "a thread still has destructors to run");
        describe_fully(heap, Names::LeftOut);
        closed.send(()).expect("the thread waits");
        user.join().expect("it ends well");
    });
    // The loader looks again when something is unloaded.
    let library = thread::scope(|scope| scope.spawn(load).join().expect("it loads"));
    assert!(library.unload(), "nobody uses it any more");
}

//! Totals agree to the byte with an independent count, whatever threads do.

mod support;

use std::cell::RefCell;
use std::sync::mpsc::channel;

use mimalloc::MiMalloc;
use support::outer::Outer;
use support::random::Random;
use unkai::{Cause, Config, UnkaiGlobalAlloc};

#[global_allocator]
static HEAP: Outer<UnkaiGlobalAlloc<MiMalloc>> = Outer::new(UnkaiGlobalAlloc::with_config(
    MiMalloc,
    // Fewer cells than threads in one of the cases below.
    Config::new()
        .sampling_interval(64 << 10)
        .max_threads(48)
        .seed(3),
));

/// The totals and the independent count, once both stand still. Threads that have been joined may still be ending.
fn agree(context: &str) {
    support::eventually(context, || {
        let usage = HEAP.inner.usage();
        let counted = (HEAP.allocated(), HEAP.freed());
        (
            (usage.allocated.bytes, usage.allocated.blocks),
            (usage.freed.bytes, usage.freed.blocks),
        ) == counted
            && (HEAP.allocated(), HEAP.freed()) == counted
    });
}

thread_local! {
    static KEPT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static LATE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static ENDING: TooMuch = const { TooMuch };
    static LAST_WORDS: LastWords = const { LastWords };
}

/// Asks for more than there can be while its thread ends.
struct TooMuch;

impl Drop for TooMuch {
    fn drop(&mut self) {
        let mut impossible: Vec<u8> = Vec::new();
        assert!(impossible.try_reserve_exact(isize::MAX as usize).is_err());
    }
}

/// Allocates and frees while its thread ends.
struct LastWords;

impl Drop for LastWords {
    fn drop(&mut self) {
        let words: Vec<String> = (0..20)
            .map(|n| format!("the last words, number {n}"))
            .collect();
        std::hint::black_box(&words);
        // Another thread-local, first used while the thread ends.
        LATE.with_borrow_mut(|kept| kept.push(vec![1; 300]));
    }
}

fn churn(seed: u64, operations: u64) -> Vec<Vec<u8>> {
    let mut random = Random::new(seed);
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for _ in 0..operations {
        match random.below(4) {
            0 if kept.len() > 50 => drop(kept.swap_remove(random.below(50) as usize)),
            1 if !kept.is_empty() => {
                let index = random.below(kept.len() as u64) as usize;
                kept[index].extend_from_slice(&[7; 100]);
            }
            _ if kept.len() < 200 => kept.push(vec![3; random.size(20_000)]),
            _ => drop(kept.pop()),
        }
    }
    kept
}

/// One test, for the totals are those of the process.
#[test]
fn totals_are_exact() {
    agree("at the start");

    // Millions of operations on threads that come and go; what they leave behind is freed here.
    for round in 0..8 {
        let threads: Vec<_> = (0..4)
            .map(|n| std::thread::spawn(move || churn(round * 10 + n, 100_000)))
            .collect();
        for thread in threads {
            drop(thread.join().unwrap());
        }
    }
    agree("after thread churn");

    // Threads whose first operation, and every other, is a free.
    let (sender, receiver) = channel::<Vec<Box<[u8; 40]>>>();
    let frees_only = std::thread::spawn(move || {
        for boxes in receiver {
            boxes.into_iter().for_each(drop);
        }
    });
    for _ in 0..100 {
        sender
            .send((0..1000).map(|_| Box::new([0; 40])).collect())
            .unwrap();
    }
    drop(sender);
    frees_only.join().unwrap();
    agree("after a thread that only frees");

    // Allocation in the destructors of thread-locals, registered before and after unkai's own.
    for _ in 0..50 {
        std::thread::spawn(|| {
            LAST_WORDS.with(|_| {});
            KEPT.with_borrow_mut(|kept| kept.push(vec![5; 1000]));
        })
        .join()
        .unwrap();
    }
    agree("after allocations in destructors");

    // A panic that unwinds through frames that own memory.
    for _ in 0..20 {
        let thread = std::thread::Builder::new().name("panics on purpose".into());
        let panicked = thread.spawn(|| {
            let _owned = churn(1, 1000);
            std::panic::resume_unwind(Box::new("on purpose"));
        });
        assert!(panicked.unwrap().join().is_err());
    }
    agree("after panics");

    // More threads at once than there are cells: some are counted on shared ones.
    let gate = std::sync::Barrier::new(80);
    std::thread::scope(|scope| {
        for n in 0..80 {
            let gate = &gate;
            scope.spawn(move || {
                gate.wait();
                drop(churn(n, 3000));
                gate.wait();
            });
        }
    });
    agree("after more threads than cells");
    let snapshot = HEAP.aside(UnkaiGlobalAlloc::snapshot);
    assert!(
        snapshot.losses.of(Cause::ThreadNotSampled) > 0,
        "no thread was without cells"
    );
    assert_eq!(snapshot.own_memory.threads.entries, 48);

    // Large blocks, growth and shrinking in place or not, and requests that cannot be served.
    let mut grown: Vec<u8> = Vec::new();
    for size in [1 << 10, 1 << 16, 1 << 20, 1 << 26, 3, 1 << 18] {
        grown.resize(size, 1);
        grown.shrink_to_fit();
    }
    drop(grown);
    let refused = HEAP.inner.usage().refused_requests;
    let mut impossible: Vec<u8> = Vec::new();
    assert!(
        impossible
            .try_reserve_exact(isize::MAX as usize - 4096)
            .is_err()
    );
    impossible.push(1);
    assert!(
        impossible
            .try_reserve_exact(isize::MAX as usize - 4096)
            .is_err()
    );
    assert_eq!(HEAP.inner.usage().refused_requests, refused + 2);
    // The same where a thread has no cells any more.
    std::thread::spawn(|| ENDING.with(|_| {})).join().unwrap();
    agree("after refused requests");

    assert_eq!(HEAP.nested(), 0);
    assert_eq!(snapshot.losses.of(Cause::Reentered), 0);

    // The peak: never below what is live now, and within its bound of a level that was held.
    let before = HEAP.inner.usage();
    let held = vec![1u8; 300 << 20];
    let peak_floor = before.live_bytes() as u64 + held.len() as u64;
    drop(held);
    let after = HEAP.inner.usage();
    assert!(
        after.peak_live_bytes + after.peak_error_bytes >= peak_floor
            && after.peak_live_bytes <= peak_floor + after.peak_error_bytes,
        "peak {} ± {}, but {peak_floor} were live",
        after.peak_live_bytes,
        after.peak_error_bytes,
    );
}

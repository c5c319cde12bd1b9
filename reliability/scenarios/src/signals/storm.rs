//! One thread does nothing but send signals to all others, which allocate.

use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use super::handlers::{AlternateStack, Enough, handle, handled};
use crate::heap::{Heap, totals_are_exact};
use crate::load::churn;

const THREADS: usize = 4;
const ROUNDS: u64 = 50;

/// So many signals of each kind must have been handled.
const ENOUGH: u64 = 1_000;

/// And within this time.
const AT_MOST: Duration = Duration::from_secs(60);

pub(crate) fn play(heap: &'static dyn Heap) {
    handle(libc::SIGUSR1, false);
    handle(libc::SIGUSR2, true);
    let threads: [AtomicU64; THREADS] = [const { AtomicU64::new(0) }; THREADS];
    let enough = Enough::of(heap, ENOUGH);
    let start = Instant::now();
    let (together, done) = (Barrier::new(THREADS + 1), AtomicUsize::new(0));
    thread::scope(|scope| {
        for (thread, number) in threads.iter().zip(0..) {
            let (together, done) = (&together, &done);
            scope.spawn(move || {
                let _stack = AlternateStack::of_this_thread();
                // SAFETY: asks for a number.
                thread.store(unsafe { libc::pthread_self() }, SeqCst);
                together.wait();
                let mut round = 0;
                while round < ROUNDS || !enough.is_reached() && start.elapsed() < AT_MOST {
                    churn(round * 10 + number, 100);
                    // Small ones: what takes time is unkai's part.
                    (1..200).for_each(|size| drop(black_box(vec![0_u8; size])));
                    round += 1;
                }
                done.fetch_add(1, SeqCst);
                together.wait();
            });
        }
        together.wait();
        while done.load(SeqCst) < THREADS {
            for thread in &threads {
                for signal in [libc::SIGUSR1, libc::SIGUSR2] {
                    // SAFETY: a thread that waits for us before it ends, and a signal with a handler.
                    unsafe { libc::pthread_kill(thread.load(SeqCst), signal) };
                }
            }
            // One that is pending is not sent twice.
            thread::yield_now();
        }
        together.wait();
    });
    enough.must_be_reached();
    // One in each round of each thread: not many, for a sender that does nothing else.
    let rounds = ROUNDS * THREADS as u64;
    assert!(
        handled().iter().all(|&count| count > rounds),
        "{:?}",
        handled()
    );
    totals_are_exact(heap, "after the storm of signals");
}

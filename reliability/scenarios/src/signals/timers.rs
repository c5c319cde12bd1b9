//! Timers interrupt all threads while they allocate: one of the process, and one for each thread whose handler runs on an
//! alternate stack.

use std::ptr;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use super::handlers::{AlternateStack, Enough, handle};
use crate::describe::{Format, Names, describe};
use crate::heap::{Heap, totals_are_exact};
use crate::load::churn;

const THREADS: usize = 4;

/// Between two signals of one timer.
const MICROSECONDS: i64 = 100;

/// So many of each kind must have interrupted somebody.
const AT_LEAST: u64 = 2_000;

/// And within this time.
const AT_MOST: Duration = Duration::from_secs(60);

pub(crate) fn play(heap: &'static dyn Heap) {
    handle(libc::SIGALRM, false);
    handle(libc::SIGRTMIN(), true);
    let enough = Enough::of(heap, AT_LEAST);
    every(MICROSECONDS);
    let start = Instant::now();
    let goes_on = || !enough.is_reached() && start.elapsed() < AT_MOST;
    let all_there = Barrier::new(THREADS);
    thread::scope(|scope| {
        // Woken by the one handler all the time.
        let watcher = scope.spawn(|| {
            while goes_on() {
                unkai_core::process::wait(Duration::from_secs(1));
            }
        });
        for number in 0..THREADS {
            let (all_there, goes_on) = (&all_there, &goes_on);
            scope.spawn(move || {
                let stack = AlternateStack::of_this_thread();
                let timer = Timer::of_this_thread();
                all_there.wait();
                let mut seed = number as u64;
                while goes_on() {
                    churn(seed, 100);
                    deep(20, seed);
                    seed += THREADS as u64;
                }
                describe(heap, Names::LeftOut, Format::Pprof);
                drop(timer);
                // One more signal may be under way to it.
                std::mem::forget(stack);
            });
        }
        watcher.join().expect("the watcher panicked");
    });
    every(0);
    enough.must_be_reached();
    totals_are_exact(heap, "after threads that were interrupted");
}

/// Stacks of several depths.
fn deep(depth: u64, seed: u64) {
    std::hint::black_box(vec![1_u8; 100 + (seed % 50) as usize]);
    if depth > 0 {
        deep(depth - 1, seed);
    }
}

/// One signal of the process in so many microseconds; 0 for no more.
fn every(microseconds: i64) {
    let time = libc::timeval {
        tv_sec: 0,
        tv_usec: microseconds,
    };
    let timer = libc::itimerval {
        it_interval: time,
        it_value: time,
    };
    // SAFETY: a valid timer, and nobody asks for the one before.
    let failed = unsafe { libc::setitimer(libc::ITIMER_REAL, &timer, ptr::null_mut()) };
    assert_eq!(failed, 0, "no timer");
}

/// Interrupts one thread.
struct Timer(libc::timer_t);

impl Timer {
    fn of_this_thread() -> Self {
        // SAFETY: zeros are a valid event.
        let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = libc::SIGRTMIN();
        // SAFETY: asks for a number.
        event.sigev_notify_thread_id = unsafe { libc::gettid() };
        let mut timer = ptr::null_mut();
        // SAFETY: a valid event of a thread of this process, and room for the timer.
        let failed = unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &mut event, &mut timer) };
        assert_eq!(failed, 0, "no timer");
        let time = libc::timespec {
            tv_sec: 0,
            tv_nsec: MICROSECONDS * 1000,
        };
        let interval = libc::itimerspec {
            it_interval: time,
            it_value: time,
        };
        // SAFETY: a timer that was made above, and a valid time; nobody asks for the one before.
        let failed = unsafe { libc::timer_settime(timer, 0, &interval, ptr::null_mut()) };
        assert_eq!(failed, 0, "the timer does not start");
        Self(timer)
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: made by `of_this_thread`, and deleted once.
        unsafe { libc::timer_delete(self.0) };
    }
}

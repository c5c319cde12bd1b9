//! Time of single operations, in ticks: of the time-stamp counter where there is one, else nanoseconds.

use std::time::{Duration, Instant};

/// A moment before which everything is done that comes before it in the program.
#[inline(always)]
#[cfg(target_arch = "x86_64")]
pub(crate) fn begin() -> u64 {
    use std::arch::x86_64::{_mm_lfence, _rdtsc};

    // SAFETY: every x86-64 processor has this instruction.
    unsafe { _mm_lfence() };
    // SAFETY: reading the counter has no precondition.
    let ticks = unsafe { _rdtsc() };
    // SAFETY: see above.
    unsafe { _mm_lfence() };
    ticks
}

/// A moment after everything that comes before it in the program.
#[inline(always)]
#[cfg(target_arch = "x86_64")]
pub(crate) fn end() -> u64 {
    use std::arch::x86_64::{__rdtscp, _mm_lfence};

    let mut core = 0;
    // SAFETY: every x86-64 processor of the last fifteen years has this instruction.
    let ticks = unsafe { __rdtscp(&mut core) };
    // SAFETY: every x86-64 processor has this one.
    unsafe { _mm_lfence() };
    ticks
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) use {nanoseconds as begin, nanoseconds as end};

#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn nanoseconds() -> u64 {
    use std::sync::LazyLock;

    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_nanos() as u64
}

/// How many nanoseconds a tick is long: measured against the system's clock.
pub(crate) fn nanoseconds_per_tick() -> f64 {
    let (start, first) = (Instant::now(), begin());
    while start.elapsed() < Duration::from_millis(50) {}
    let ticks = end() - first;
    start.elapsed().as_nanos() as f64 / ticks as f64
}

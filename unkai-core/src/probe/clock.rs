//! The profiler's clock. Read for sampled blocks only, and cheaply: by the processor's time-stamp counter where that runs
//! at a constant rate, which costs a third of what the system's clock does.
//!
//! A reading is a number of *ticks*, good for nothing but to be compared with a later one. How long a tick is, the clock
//! finds out by itself: from the system's clock at its start and some time later. Until then it asks the latter each time.

use std::ops::Range;
use std::time::Instant;

use crate::sync::{AtomicU64, Ordering};

/// A monotonic clock.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
    first_tick: Tick,
    /// Nanoseconds of a tick, in units of 2⁻³²; 0 while it is not known yet.
    tick_length: AtomicU64,
    /// Whether ticks are those of the processor. If not, they are nanoseconds.
    by_processor: bool,
}

/// A moment, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tick(pub(crate) u64);

impl Clock {
    pub(crate) fn start() -> Self {
        Self::of(processor::runs_at_a_constant_rate())
    }

    fn of(by_processor: bool) -> Self {
        let start = now();
        Self {
            start,
            first_tick: Tick(ticks()),
            tick_length: AtomicU64::new(if by_processor { 0 } else { ONE }),
            by_processor,
        }
    }

    /// This moment.
    #[inline]
    pub(crate) fn tick(&self) -> Tick {
        if self.by_processor {
            Tick(ticks())
        } else {
            Tick(self.uptime())
        }
    }

    /// Nanoseconds from one moment to a later one; 0 if it is not later.
    #[inline]
    pub(crate) fn nanoseconds(&self, from: Tick, to: Tick) -> u64 {
        let ticks = to.0.saturating_sub(from.0);
        let mut length = self.tick_length.load(Ordering::Relaxed);
        if length == 0 {
            length = self.measured_length();
        }
        saturated((u128::from(ticks) * u128::from(length)) >> 32)
    }

    /// Nanoseconds since the start by the system's clock; good for 584 years.
    pub(crate) fn uptime(&self) -> u64 {
        #[cfg(test)]
        if let Some(uptime) = scripted::uptime() {
            return uptime;
        }
        // `duration_since` saturates at zero, should the platform's clock ever step back.
        now().duration_since(self.start).as_nanos() as u64
    }

    /// The length of a tick by the time since the start; kept once that is long enough to tell it precisely.
    #[cold]
    fn measured_length(&self) -> u64 {
        let uptime = self.uptime();
        let ticks = ticks().saturating_sub(self.first_tick.0).max(1);
        let length = saturated((u128::from(uptime) << 32) / u128::from(ticks));
        // A counter that was set back or forth meanwhile, as when a machine wakes up, is not believed for good.
        if uptime >= ENOUGH && PLAUSIBLE.contains(&length) {
            self.tick_length.store(length, Ordering::Relaxed);
        }
        length
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the place where the clock is read"
)]
fn now() -> Instant {
    Instant::now()
}

fn saturated(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// The processor's counter now.
#[inline]
fn ticks() -> u64 {
    #[cfg(test)]
    if let Some(ticks) = scripted::ticks() {
        return ticks;
    }
    processor::ticks()
}

const ONE: u64 = 1 << 32;

/// After this many nanoseconds the length of a tick is known to a few parts in a million.
const ENOUGH: u64 = 20_000_000;

/// Lengths of the ticks of counters from 1 MHz to 64 GHz.
const PLAUSIBLE: Range<u64> = ONE >> 6..ONE * 1000;

#[cfg(all(target_arch = "x86_64", not(unkai_portable)))]
mod processor {
    use std::arch::x86_64::{__cpuid, _rdtsc, CpuidResult};

    /// Whether the time-stamp counter counts on at the same rate whatever the processor does.
    pub(super) fn runs_at_a_constant_rate() -> bool {
        const HIGHEST_EXTENDED: u32 = 0x8000_0000;
        const POWER_MANAGEMENT: u32 = 0x8000_0007;
        const INVARIANT: u32 = 1 << 8;
        leaf(HIGHEST_EXTENDED).eax >= POWER_MANAGEMENT
            && leaf(POWER_MANAGEMENT).edx & INVARIANT != 0
    }

    #[allow(unused_unsafe, reason = "older compilers take the call to be unsafe")]
    fn leaf(number: u32) -> CpuidResult {
        // SAFETY: every processor of this architecture has the instruction; it has no precondition.
        unsafe { __cpuid(number) }
    }

    #[inline]
    pub(super) fn ticks() -> u64 {
        // SAFETY: every processor of this architecture has the instruction; it has no precondition.
        unsafe { _rdtsc() }
    }
}

#[cfg(not(all(target_arch = "x86_64", not(unkai_portable))))]
mod processor {
    pub(super) fn runs_at_a_constant_rate() -> bool {
        false
    }

    pub(super) fn ticks() -> u64 {
        0
    }
}

/// Clocks that a test makes up, in the place of those of the machine.
#[cfg(test)]
pub(crate) mod scripted {
    use std::cell::RefCell;

    type Script = Box<dyn FnMut() -> u64>;

    thread_local! {
        static TICKS: RefCell<Option<Script>> = const { RefCell::new(None) };
        static UPTIME: RefCell<Option<Script>> = const { RefCell::new(None) };
    }

    /// From now on the processor's counter and the nanoseconds of the system's clock are what these return on this thread;
    /// until the answer is dropped.
    pub(crate) fn clocks(
        ticks: impl FnMut() -> u64 + 'static,
        uptime: impl FnMut() -> u64 + 'static,
    ) -> Scripted {
        TICKS.set(Some(Box::new(ticks)));
        UPTIME.set(Some(Box::new(uptime)));
        Scripted(())
    }

    /// Until this is dropped, the clocks of this thread are made up.
    #[derive(Debug)]
    pub(crate) struct Scripted(());

    impl Drop for Scripted {
        fn drop(&mut self) {
            TICKS.set(None);
            UPTIME.set(None);
        }
    }

    pub(super) fn ticks() -> Option<u64> {
        TICKS.with_borrow_mut(|script| script.as_mut().map(|script| script()))
    }

    pub(super) fn uptime() -> Option<u64> {
        UPTIME.with_borrow_mut(|script| script.as_mut().map(|script| script()))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::rc::Rc;
    use std::time::Duration;

    /// Both kinds of ticks tell the same time, before and after the length of a tick is known.
    #[test]
    fn ticks_agree_with_the_system() {
        for clock in [Clock::start(), Clock::of(false)] {
            for wait in [0, 1, 5, 30, 50] {
                let (from, before) = (clock.tick(), clock.uptime());
                std::thread::sleep(Duration::from_millis(wait));
                let (to, after) = (clock.tick(), clock.uptime());
                let (ticked, passed) = (clock.nanoseconds(from, to), after - before);
                // The two are not read at once: a thread may be interrupted in between, so some time is allowed for it.
                let slack = passed / 100 + 20_000_000;
                assert!(ticked.abs_diff(passed) <= slack, "{ticked} for {passed}");
            }
            assert!(!clock.by_processor || clock.tick_length.load(Ordering::Relaxed) > 0);
        }
    }

    /// A counter that was set back when the length of a tick was found out, and to the highest after it.
    #[test]
    fn a_counter_that_jumps_is_not_believed_for_good() {
        let ticks = Rc::new(Cell::new(1 << 40));
        let uptime = Rc::new(Cell::new(0));
        let (read_ticks, read_uptime) = (Rc::clone(&ticks), Rc::clone(&uptime));
        let _clocks = scripted::clocks(move || read_ticks.get(), move || read_uptime.get());
        let clock = Clock::of(true);
        for (jump, time) in [(5, 1 << 36), (0, 1 << 37), (u64::MAX, ENOUGH)] {
            ticks.set(jump);
            uptime.set(time);
            assert_eq!(clock.nanoseconds(Tick(0), Tick(0)), 0);
            let _ = clock.nanoseconds(Tick(0), Tick(u64::MAX));
            assert_eq!(clock.tick_length.load(Ordering::Relaxed), 0, "{jump}");
        }
        // Three ticks a nanosecond.
        ticks.set((1 << 40) + 3 * ENOUGH);
        uptime.set(ENOUGH);
        let (from, to) = (Tick(1000), Tick(4000));
        assert!((999..=1000).contains(&clock.nanoseconds(from, to)));
        assert_ne!(clock.tick_length.load(Ordering::Relaxed), 0);
        // The longest there is fits.
        assert!(clock.nanoseconds(Tick(0), Tick(u64::MAX)) > u64::MAX / 4);
    }

    #[test]
    fn time_never_runs_backwards() {
        let clock = Clock::start();
        let (early, late) = (Tick(5), Tick(3));
        assert_eq!(clock.nanoseconds(early, late), 0);
        let (mut last, end) = (clock.tick(), clock.uptime() + 50_000_000);
        while clock.uptime() < end {
            let next = clock.tick();
            assert!(next.0 >= last.0);
            last = next;
        }
    }
}

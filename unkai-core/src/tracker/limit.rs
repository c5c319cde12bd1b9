//! The limit of the process: a number that reports and watchers compare with, or one that is never exceeded.
//!
//! Where requests are granted at the limit (the default), nothing happens here: an allocation is never refused, and whoever
//! watches the heap acts. Where they are refused, every thread stands at a sentinel (`probe::thread`), so that each of its
//! operations comes to the slow path, and this account is charged before the inner allocator is asked and given back after
//! it has the block: so it is never below what the program holds, and a request that is refused would have exceeded the
//! limit in that very moment. One atomic word for all threads is dear, but nothing lies idle anywhere, so a refusal needs
//! to look nowhere else.

#[cfg(not(loom))]
use super::Tracker;
#[cfg(not(loom))]
use crate::config::Config;
#[cfg(not(loom))]
use crate::probe::thread::{self, Standing};
#[cfg(not(loom))]
use crate::snapshot::LimitStatus;
#[cfg(not(loom))]
use crate::store::cells::Cells;
use crate::sync::{AtomicI64, AtomicU64, Ordering};

/// How an operation stands to the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Nothing is refused in this process, or the operation is not the program's: a thread that steps aside settles when it
    /// comes back.
    None,
    /// Of the program: refused beyond the limit.
    Bounded,
    /// Of unkai's own code: charged in any case.
    Forced,
}

#[derive(Debug)]
pub(super) struct Limit {
    /// What was set while the program runs, or one of the two words below.
    set: AtomicU64,
    /// Requested bytes that are in use, being asked for, or being given back. Counted where requests are refused. Below zero
    /// for a moment if another thread frees what one that has stepped aside allocated, before that one settles.
    used: AtomicI64,
    /// Requests that were refused.
    refused: AtomicU64,
}

impl Limit {
    #[cfg(not(loom))]
    pub(super) const fn new() -> Self {
        Self {
            set: AtomicU64::new(AS_CONFIGURED),
            used: AtomicI64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// loom's atomics are not made in constants.
    #[cfg(loom)]
    pub(super) fn new() -> Self {
        Self {
            set: AtomicU64::new(AS_CONFIGURED),
            used: AtomicI64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    fn take(&self, claim: Claim, bytes: usize, limit: u64) -> bool {
        // Who asks for nothing more, as what shrinks, is not refused even above a limit that was lowered.
        let most = if claim == Claim::Bounded && bytes > 0 {
            i64::try_from(limit).unwrap_or(i64::MAX)
        } else {
            i64::MAX
        };
        let raised = |used: i64| used.checked_add(bytes as i64).filter(|sum| *sum <= most);
        // Acquire: pairs with the Release in `give`, so that what was given back is given back to the inner allocator, too.
        let order = Ordering::Acquire;
        self.used
            .fetch_update(order, Ordering::Relaxed, raised)
            .is_ok()
    }

    fn give(&self, bytes: usize) {
        self.used.fetch_sub(bytes as i64, Ordering::Release);
    }
}

#[cfg(not(loom))]
impl Tracker {
    /// How an operation that was counted on `cells` stands to the limit.
    pub(crate) fn claim(&self, config: &Config, cells: &'static Cells) -> Claim {
        if !self.refuses_at_limit(config) {
            return Claim::None;
        }
        match thread::standing_of(cells) {
            Standing::Aside => Claim::None,
            Standing::Inside => Claim::Forced,
            _ => Claim::Bounded,
        }
    }

    /// Whether this process refuses at its limit.
    pub(crate) fn refuses_at_limit(&self, config: &Config) -> bool {
        self.config_in_force(config).get_refuse_at_limit()
    }

    /// Charges the limit with `bytes` before they are asked for. Returns whether there is room; if not, the request is
    /// refused as if it had not been made, but for the count of refusals.
    pub(crate) fn take_from_limit(&self, config: &Config, claim: Claim, bytes: usize) -> bool {
        if claim == Claim::None {
            return true;
        }
        let limit = self.limit_bytes(config).unwrap_or(u64::MAX);
        let taken = self.limit.take(claim, bytes, limit);
        if !taken {
            self.limit.refused.fetch_add(1, Ordering::Relaxed);
            self.refused.fetch_add(1, Ordering::Relaxed);
            self.watcher.raise(super::Reason::Refused);
        }
        taken
    }

    /// Gives `bytes` back to the limit once the inner allocator has them.
    pub(crate) fn give_to_limit(&self, claim: Claim, bytes: usize) {
        if claim != Claim::None {
            self.limit.give(bytes);
        }
    }

    /// What a thread that had stepped aside leaves behind is in use whatever the limit says.
    pub(super) fn settle_limit(&self, kept: u64, gone: u64) {
        let refuses = self
            .tables
            .get()
            .is_some_and(|tables| tables.config.get_refuse_at_limit());
        if refuses {
            self.limit.used.fetch_add(kept as i64, Ordering::Relaxed);
            self.limit.used.fetch_sub(gone as i64, Ordering::Release);
        }
    }

    /// Sets another limit than the configured one; `None` for no limit.
    pub(crate) fn set_limit(&self, bytes: Option<u64>) {
        let word = bytes.map_or(UNLIMITED, |bytes| bytes.min(UNLIMITED - 1));
        self.limit.set.store(word, Ordering::Relaxed);
    }

    /// The limit and how the process stands to it. `None` without one.
    pub(crate) fn limit_status(&self, live_bytes: i64) -> Option<LimitStatus> {
        let config = &self.tables.get()?.config;
        Some(LimitStatus {
            limit_bytes: self.limit_bytes(config)?,
            live_bytes: live_bytes.max(0) as u64,
            refuses: config.get_refuse_at_limit(),
            refused_requests: self.limit.refused.load(Ordering::Relaxed),
        })
    }

    fn limit_bytes(&self, config: &Config) -> Option<u64> {
        match self.limit.set.load(Ordering::Relaxed) {
            AS_CONFIGURED => self.config_in_force(config).get_limit(),
            UNLIMITED => None,
            bytes => Some(bytes),
        }
    }

    /// The settings of the first façade hold; before the first operation, those of the one that asks.
    fn config_in_force<'a>(&'a self, config: &'a Config) -> &'a Config {
        self.tables.get().map_or(config, |tables| &tables.config)
    }
}

const AS_CONFIGURED: u64 = u64::MAX;
const UNLIMITED: u64 = u64::MAX - 1;

#[cfg(all(test, loom))]
mod models {
    use super::*;
    use loom::sync::Arc;

    /// Three requests, of which no two fit together: what is held beneath never exceeds the limit, also by what was given back a
    /// moment ago, and nothing is left. Nothing is refused that would have fit: who is refused has met another who was granted
    /// and had not given back.
    #[test]
    fn no_two_requests_hold_what_fits_once() {
        loom::model(|| {
            let shared = Arc::new((Limit::new(), AtomicI64::new(0)));
            let ask = |(limit, held): &(Limit, AtomicI64)| {
                let granted = limit.take(Claim::Bounded, 6, 10);
                if granted {
                    // The inner allocator's own count; that it is in order is the limit's doing.
                    let before = held.load(Ordering::Relaxed);
                    assert_eq!(before, 0);
                    held.store(before + 6, Ordering::Relaxed);
                    held.store(before, Ordering::Relaxed);
                    limit.give(6);
                }
                granted
            };
            // Which of the two threads will ask no more, and holds nothing.
            let done = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
            let ask_knowing = move |shared: &_, other: &AtomicU64| {
                let is_alone = other.load(Ordering::Acquire) == 1;
                let granted = ask(shared);
                assert!(granted || !is_alone, "refused, with nobody else there");
                granted
            };
            let (other, they) = (Arc::clone(&shared), Arc::clone(&done));
            let thread = loom::thread::spawn(move || {
                let granted = ask_knowing(&other, &they[0]);
                they[1].store(1, Ordering::Release);
                granted
            });
            let granted = [(); 2].map(|()| ask_knowing(&shared, &done[1]));
            done[0].store(1, Ordering::Release);
            let others = thread.join().unwrap();
            // Where one is refused, another holds what it is granted.
            assert!(others || granted == [true; 2], "refused without cause");
            assert!(shared.0.take(Claim::Bounded, 10, 10), "nothing is left");
        });
    }

    /// Requests that fit together are granted, however they meet.
    #[test]
    fn nothing_is_refused_that_fits_beside_the_others() {
        loom::model(|| {
            let limit = Arc::new(Limit::new());
            let ask = |limit: &Limit, bytes| {
                let granted = limit.take(Claim::Bounded, bytes, 10);
                if granted {
                    limit.give(bytes);
                }
                granted
            };
            let other = Arc::clone(&limit);
            let thread = loom::thread::spawn(move || (0..2).all(|_| ask(&other, 4)));
            assert!((0..2).all(|_| ask(&limit, 6)), "6 of 10 fit beside 4");
            assert!(thread.join().unwrap(), "4 of 10 fit beside 6");
            assert!(limit.take(Claim::Bounded, 10, 10), "nothing is left");
        });
    }
}

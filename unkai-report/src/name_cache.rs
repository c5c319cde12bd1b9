//! Names that are kept from one report to the next.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use foldhash::HashSet;

#[cfg(any(feature = "prometheus", test))]
use unkai_core::Site;
use unkai_core::{Snapshot, aside};

use crate::modules::Modules;
use crate::report::{Report, by_importance};
use crate::resolve::{self, ResolveCost, ResolveLimit, ResolveLimits};
use crate::symbols::{SourceFunction, Symbols};
use crate::under_way::UnderWay;

/// The names of this process's functions, for a program that makes many reports: each address is looked up once.
///
/// [`learn`](Self::learn) looks up what is new in a snapshot, [`report`](Self::report) names a snapshot by what is known.
/// All threads may use one cache at once; a [`HeapCollector`](crate::prometheus::HeapCollector) can share it.
///
/// # Cost
/// Looking up costs what [`Symbols::resolve_within`] says: on a large binary seconds, and up to 256 MiB until it is done.
/// In the long run it takes a twentieth of the time at most, by the uptime of the snapshots, and [five
/// seconds](Self::ahead) may be taken ahead of that: so who asks now and then has all names at once, and who asks all the time pays little. Where memory
/// was what stopped it, nothing is looked up for ten minutes. What is new while it rests has no name yet. Kept are the names of all addresses that were met: a few dozen bytes each, of which there are no more than
/// [`Config::max_stack_nodes`](unkai_core::Config::max_stack_nodes), and each function's name once. A report shares them.
///
/// ```
/// use std::time::SystemTime;
/// use unkai_core::{Site, Snapshot};
/// use unkai_report::{NameCache, SourceFunction};
///
/// // In a real program `NameCache::new()`, and snapshots from the profiler.
/// let cache = NameCache::by(|_| {
///     vec![SourceFunction { name: "my_app::work".to_owned(), ..SourceFunction::default() }]
/// });
/// let mut snapshot = Snapshot::empty(SystemTime::now());
/// snapshot.sites.push(Site::new(2, vec![0x1234]));
///
/// assert!(cache.report(snapshot.clone()).symbols().is_empty());
/// cache.learn(&snapshot);
/// assert_eq!(cache.report(snapshot).symbols().functions()[0].name(), "my_app::work");
/// ```
#[derive(Default)]
pub struct NameCache {
    known: Mutex<Known>,
    learner: Mutex<Learner>,
}

impl NameCache {
    /// No names yet. They will come from the debug information of this process, within the [default
    /// limits](ResolveLimits::new) each time.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes names from `look_up` in place of this process's debug information. It is called as
    /// [`Symbols::resolve_with`] says, once for each address.
    pub fn by(look_up: impl FnMut(u64) -> Vec<SourceFunction> + Send + 'static) -> Self {
        Self {
            known: Mutex::default(),
            learner: Mutex::new(Learner {
                look_up: Some(Box::new(look_up)),
                ..Learner::default()
            }),
        }
    }

    /// How much memory and time each call that looks up may take. What is left then is looked up by a later call.
    #[must_use]
    pub fn limits(mut self, limits: ResolveLimits) -> Self {
        let learner = self.learner.get_mut();
        learner.unwrap_or_else(PoisonError::into_inner).limits = limits;
        self
    }

    /// How long looking up may take before its share of the time is earned. Default: five seconds, in which most programs
    /// are named whole.
    #[must_use]
    pub fn ahead(mut self, time: Duration) -> Self {
        let learner = self.learner.get_mut();
        learner
            .unwrap_or_else(PoisonError::into_inner)
            .pace
            .most_ahead = time;
        self
    }

    /// Looks up what is new in `snapshot`, if it is time to; waits while another thread looks up. A forked child does not wait for a thread of
    /// its parent's: if there was one, it looks up nothing.
    pub fn learn(&self, snapshot: &Snapshot) {
        let Some(_under_way) = UnderWay::begin() else {
            return;
        };
        let mut learner = lock(&self.learner);
        if learner.pace.allows(snapshot.uptime) {
            self.look_up(learner, snapshot);
        }
    }

    /// Looks up what is new in `snapshot`, whether it is time to or not: for somebody who waits for it.
    pub fn learn_now(&self, snapshot: &Snapshot) {
        let Some(_under_way) = UnderWay::begin() else {
            return;
        };
        self.look_up(lock(&self.learner), snapshot);
    }

    /// Like [`learn`](Self::learn), but never waits for another thread.
    #[cfg(any(feature = "prometheus", test))]
    pub(crate) fn learn_without_waiting(&self, snapshot: &Snapshot) {
        let Some(_under_way) = UnderWay::begin() else {
            return;
        };
        let mut learner = match self.learner.try_lock() {
            Ok(learner) => learner,
            Err(TryLockError::Poisoned(learner)) => learner.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        if learner.pace.allows(snapshot.uptime) {
            self.look_up(learner, snapshot);
        }
    }

    /// Names `snapshot`, which must come from this process, by what is known; looks up nothing. Less than a millisecond.
    pub fn report(&self, snapshot: Snapshot) -> Report {
        aside(|| {
            Report::of_shared(snapshot, self.known().symbols)
                .with_modules(Modules::of_this_process())
        })
    }

    /// What is known now.
    pub(crate) fn known(&self) -> Known {
        match UnderWay::begin() {
            Some(_under_way) => lock(&self.known).clone(),
            None => match self.known.try_lock() {
                Ok(known) => known.clone(),
                Err(TryLockError::Poisoned(known)) => known.into_inner().clone(),
                // Held for ever.
                Err(TryLockError::WouldBlock) => Known::default(),
            },
        }
    }

    fn look_up(&self, mut learner: MutexGuard<'_, Learner>, snapshot: &Snapshot) {
        aside(|| {
            let new: Vec<u64> = {
                let known = lock(&self.known).addresses.clone();
                by_importance(snapshot)
                    .filter(|address| !known.contains(address))
                    .collect()
            };
            if new.is_empty() {
                return;
            }
            let start = Instant::now();
            let found = learner.find(new);
            let stopped_by = found.symbols.cost().and_then(|cost| cost.stopped_by);
            lock(&self.known).add(found);
            learner.pace.note(start.elapsed());
            if let Some(ResolveLimit::MemoryBytes(_)) = stopped_by {
                learner.pace.resume_at = snapshot.uptime.saturating_add(REST_FROM_MEMORY);
            }
        });
    }
}

impl fmt::Debug for NameCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NameCache")
            .field("known", &self.known().addresses.len())
            .finish_non_exhaustive()
    }
}

/// All that was found out so far. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Known {
    symbols: Arc<Symbols>,
    /// All that were looked up, whether they have a name or not.
    addresses: Arc<HashSet<u64>>,
}

impl Known {
    /// Whether all of the site's call stack was looked up.
    #[cfg(any(feature = "prometheus", test))]
    pub(crate) fn has(&self, site: &Site) -> bool {
        site.stack
            .iter()
            .all(|address| self.addresses.contains(address))
    }

    #[cfg(feature = "prometheus")]
    pub(crate) fn symbols(&self) -> &Arc<Symbols> {
        &self.symbols
    }

    fn add(&mut self, found: Found) {
        Arc::make_mut(&mut self.addresses).extend(found.looked_up);
        let (before, this) = (self.symbols.cost().copied(), found.symbols.cost().copied());
        if self.symbols.is_empty() {
            self.symbols = Arc::new(found.symbols);
        } else {
            Arc::make_mut(&mut self.symbols).add_missing(&found.symbols);
        }
        let Some(this) = this else { return };
        let symbols = Arc::make_mut(&mut self.symbols);
        symbols.set_cost(ResolveCost {
            addresses: self.addresses.len() as u64 + found.left,
            named: symbols.addresses().count() as u64,
            elapsed: this.elapsed + before.map_or(Duration::ZERO, |before| before.elapsed),
            memory_bytes: this
                .memory_bytes
                .max(before.and_then(|before| before.memory_bytes)),
            stopped_by: this.stopped_by,
        });
    }
}

/// Where names come from, and when.
#[derive(Default)]
struct Learner {
    limits: ResolveLimits,
    /// In place of this process's debug information.
    look_up: Option<LookUp>,
    pace: Pace,
}

/// Sees to it that looking up takes a small part of the time, unless somebody waits for it. Pure.
#[derive(Debug)]
struct Pace {
    most_ahead: Duration,
    /// How long was looked up ahead of what time allows.
    ahead: Duration,
    /// The uptime at which that was so.
    at: Duration,
    /// The uptime before which nothing is looked up at all.
    resume_at: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            most_ahead: Duration::from_secs(5),
            ahead: Duration::ZERO,
            at: Duration::ZERO,
            resume_at: Duration::ZERO,
        }
    }
}

impl Pace {
    fn allows(&mut self, uptime: Duration) -> bool {
        let earned = uptime.saturating_sub(self.at) / ONE_IN;
        self.at = self.at.max(uptime);
        self.ahead = self.ahead.saturating_sub(earned);
        self.ahead <= self.most_ahead && uptime >= self.resume_at
    }

    fn note(&mut self, elapsed: Duration) {
        self.ahead = self.ahead.saturating_add(elapsed);
    }
}

/// Finds the functions at an address, innermost first.
type LookUp = Box<dyn FnMut(u64) -> Vec<SourceFunction> + Send>;

struct Found {
    symbols: Symbols,
    looked_up: Vec<u64>,
    /// How many a limit has left over.
    left: u64,
}

impl Learner {
    fn find(&mut self, mut new: Vec<u64>) -> Found {
        let (symbols, looked_up) = match &mut self.look_up {
            Some(look_up) => (
                Symbols::resolve_with(new.iter().copied(), look_up),
                new.len(),
            ),
            None => resolve::resolve(&mut new, &self.limits),
        };
        let left = new.len() - looked_up;
        new.truncate(looked_up);
        Found {
            symbols,
            looked_up: new,
            left: left as u64,
        }
    }
}

/// Whoever panicked while they held it has left fewer names behind at most.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The part of the time that looking up takes in the long run.
const ONE_IN: u32 = 20;
/// Memory that was too much a moment ago is not asked for again soon.
const REST_FROM_MEMORY: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::SystemTime;

    use super::*;

    fn snapshot(uptime: u64, addresses: &[u64]) -> Snapshot {
        let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
        snapshot.uptime = Duration::from_secs(uptime);
        snapshot.sites.push(Site::new(2, addresses.to_vec()));
        snapshot
    }

    fn named(address: u64) -> Vec<SourceFunction> {
        let name = format!("my_app::f{address}");
        vec![SourceFunction {
            name,
            ..SourceFunction::default()
        }]
    }

    #[test]
    fn an_address_is_looked_up_once_and_reports_share_its_name() {
        let (asked, answers) = mpsc::channel();
        let cache = NameCache::by(move |address| {
            asked.send(address).expect("the test listens");
            named(address)
        });
        let snapshot = snapshot(1, &[11, 21, 11]);
        for _ in 0..3 {
            cache.learn_now(&snapshot);
        }
        assert_eq!(answers.try_iter().collect::<Vec<_>>(), [10, 20]);
        let (first, second) = (cache.report(snapshot.clone()), cache.report(snapshot));
        assert!(std::ptr::eq(first.symbols(), second.symbols()));
        assert_eq!(first.symbols().functions().len(), 2);
    }

    #[test]
    fn looking_up_rests_when_it_has_taken_much_unless_somebody_waits() {
        let cache = NameCache::by(named);
        let names = || cache.known().symbols.addresses().count();
        cache.learn(&snapshot(100, &[1]));
        cache.learn(&snapshot(100, &[2]));
        assert_eq!(names(), 2);
        lock(&cache.learner).pace.note(Duration::from_secs(9));
        cache.learn(&snapshot(100, &[3]));
        cache.learn_without_waiting(&snapshot(100, &[3]));
        assert_eq!(names(), 2, "it rests");
        cache.learn_now(&snapshot(100, &[3]));
        assert_eq!(names(), 3, "somebody waits");
        cache.learn(&snapshot(200, &[4]));
        assert_eq!(names(), 4, "it has rested");
    }

    #[test]
    fn in_the_long_run_looking_up_takes_a_twentieth_of_the_time() {
        let second = Duration::from_secs(1);
        let mut pace = Pace::default();
        let mut taken = Duration::ZERO;
        for uptime in 0..10_000 {
            if pace.allows(uptime * second) {
                pace.note(2 * second);
                taken += 2 * second;
            }
        }
        let expected = 10_000 * second / 20;
        assert!(
            taken >= expected && taken <= expected + 7 * second,
            "{taken:?}"
        );
        // Nothing is saved up beyond what may be taken ahead.
        assert!(pace.allows(1_000_000 * second));
        pace.note(6 * second);
        assert!(!pace.allows(1_000_000 * second));
        // A snapshot from before changes nothing.
        assert!(!pace.allows(second));
        assert!(pace.allows(1_000_020 * second));
    }

    #[test]
    fn a_report_says_that_names_are_still_to_come() {
        let cache = NameCache::new();
        let here = an_address_of_this_program();
        cache.learn_now(&snapshot(1, &[here]));
        let says = |addresses: &[u64]| {
            let report = cache.report(snapshot(1, addresses));
            crate::words::warnings::warnings(&report).join("\n")
        };
        assert!(!says(&[here]).contains("no name"));
        let new = says(&[here, here + 1, here + 2]);
        assert!(new.contains("2 of 3 addresses are new"), "{new}");
    }

    #[test]
    fn a_scrape_does_not_wait_for_another_that_looks_up() {
        let (go_on, wait) = mpsc::channel::<()>();
        let (begun, has_begun) = mpsc::channel();
        let cache = Arc::new(NameCache::by(move |address| {
            begun.send(()).expect("the test listens");
            wait.recv().expect("the test goes on");
            named(address)
        }));
        let other = Arc::clone(&cache);
        let looks_up = thread::spawn(move || other.learn(&snapshot(1, &[1])));
        has_begun.recv().expect("it begins");
        cache.learn_without_waiting(&snapshot(1, &[2]));
        assert!(!cache.known().has(&snapshot(1, &[1]).sites[0]));
        go_on.send(()).expect("it waits");
        looks_up.join().expect("it does not panic");
        assert!(cache.known().has(&snapshot(1, &[1]).sites[0]));
        assert!(!cache.known().has(&snapshot(1, &[2]).sites[0]));
    }

    #[test]
    fn what_a_limit_left_over_is_not_forgotten() {
        let none = ResolveLimits::new().time(Duration::ZERO);
        let cache = NameCache::new().limits(none);
        let here = an_address_of_this_program();
        let snapshot = snapshot(1, &[here]);
        cache.learn_now(&snapshot);
        assert!(!cache.known().has(&snapshot.sites[0]));
        let cost = *cache.known().symbols.cost().expect("it was tried");
        assert_eq!((cost.addresses, cost.named), (1, 0));
        assert!(cost.stopped_by.is_some());

        let cache = cache.limits(ResolveLimits::new());
        cache.learn_now(&snapshot);
        assert!(cache.known().has(&snapshot.sites[0]));
        let cost = *cache.known().symbols.cost().expect("it was done");
        assert_eq!((cost.addresses, cost.named, cost.stopped_by), (1, 1, None));
    }

    fn an_address_of_this_program() -> u64 {
        let mut found = 0;
        backtrace::trace(|frame| {
            found = frame.ip() as u64;
            false
        });
        found
    }
}

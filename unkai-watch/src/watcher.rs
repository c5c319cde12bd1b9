//! What a user starts, asks and stops.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use unkai_core::{aside, process};

use crate::board::{Board, Figures, Plate, Shared};
use crate::check;
use crate::closer::Closer;
use crate::error::StartError;
use crate::judge::Law;
use crate::quantity::Quantity;
use crate::readings::{Needs, Readings, Unread};
use crate::reclaim::{Reclaim, Reclaimer};
use crate::rule::Rule;
use crate::status::Status;
use crate::tick::{Watch, Watched};
use crate::window::Window;
use crate::worker::Worker;

/// Watches the process by rules, on a thread of its own.
///
/// ```no_run
/// use std::time::Duration;
/// use unkai_watch::{Quantity, Rule, Watcher};
///
/// let watching = Watcher::new()
///     .every(Duration::from_millis(500))
///     .rule(Rule::new("large", Quantity::LiveBytes.rises_to(2 << 30)).call(|event| eprintln!("{event}")))
///     .start()?;
/// println!("{}", watching.status());
/// # Ok::<(), unkai_watch::StartError>(())
/// ```
#[must_use = "a watcher does nothing until it is started"]
pub struct Watcher {
    every: Duration,
    rules: Vec<Rule>,
    reclaimers: Vec<Reclaimer>,
}

/// A watcher that runs. Dropping this does not stop it.
#[derive(Debug)]
pub struct Watching {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

/// The process whose watcher runs, which has one alarm; 0 for none. A forked child inherits this, but no watcher.
static RUNNING: AtomicU32 = AtomicU32::new(0);

/// The right to be the process's watcher; given back when it is dropped.
struct Only;

impl Watcher {
    /// One without rules, which looks once a second.
    pub const fn new() -> Self {
        Self {
            every: Duration::from_secs(1),
            rules: Vec::new(),
            reclaimers: Vec::new(),
        }
    }

    /// The time between two ticks, a millisecond at least. Default: one second.
    ///
    /// A tick reads what the rules look at: some µs. What depends on live bytes is also seen between ticks.
    pub const fn every(mut self, time: Duration) -> Self {
        self.every = time;
        self
    }

    /// Adds a rule.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Adds code that frees memory when live bytes reach the process's limit
    /// ([`Config::limit`](unkai_core::Config::limit)), or a request was refused there.
    ///
    /// It is told how many bytes are wanted, and says how many it has freed. Reclaimers run one after the other, in the
    /// order in which they were added, until enough is freed, on a thread that they have for themselves. They are asked
    /// again when live bytes were below 7/8 of the limit in between, or else after a second. A panic counts as nothing
    /// freed.
    pub fn reclaimer(mut self, reclaimer: impl FnMut(u64) -> u64 + Send + 'static) -> Self {
        self.reclaimers.push(Box::new(reclaimer));
        self
    }

    /// Starts the thread `unkai-watch`, and one for each rule that reports, logs or calls back.
    ///
    /// After a `fork`, the child has no watcher: start it after that.
    ///
    /// # Errors
    /// If nothing is profiled, a watcher runs already, a rule makes no sense, or the system refuses a thread. Nothing runs
    /// then.
    pub fn start(self) -> Result<Watching, StartError> {
        let laws = check::laws(self.every, &self.rules)?;
        if !process::is_in_use() {
            return Err(StartError::NoProfile);
        }
        let only = Only::claim().ok_or(StartError::Running)?;
        aside(|| self.launch(&laws, only)).map_err(StartError::Thread)
    }

    fn launch(self, laws: &[Law], only: Only) -> io::Result<Watching> {
        let rules = self.rules.into_iter().zip(laws);
        let rules = rules.map(|(rule, &law)| Watched::new(rule, law));
        let rules = rules.collect::<io::Result<Vec<_>>>()?;
        let reclaim = match self.reclaimers {
            none if none.is_empty() => None,
            reclaimers => Some(Reclaim::start(reclaimers)?),
        };
        let mut needs = Needs {
            process_limit: reclaim.is_some(),
            ..Needs::default()
        };
        let quantities = || rules.iter().filter_map(|rule| rule.condition.quantity());
        quantities().for_each(|quantity| needs.add(quantity));
        let readings = Readings::open(needs);
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            plates: rules.iter().map(Watched::plate).collect(),
            notes: readings.notes().to_vec(),
            reclaim: reclaim.as_ref().map(|reclaim| Arc::clone(reclaim.desk())),
            board: Mutex::new(Board::new(&rules)),
        });
        let watch = Watch {
            shared: Arc::clone(&shared),
            begun: Instant::now(),
            every: self.every,
            closer: Closer::new(rules.len()),
            rules,
            readings,
            reclaim,
            due: Duration::ZERO,
            refresh_due: Duration::ZERO,
            false_alarms: 0,
        };
        let thread = thread::Builder::new()
            .name("unkai-watch".to_owned())
            .spawn(move || {
                let _only = only;
                watch.run();
            })?;
        Ok(Watching { shared, thread })
    }
}

impl Watched {
    fn new(rule: Rule, law: Law) -> io::Result<Self> {
        let worker = if rule.actions.is_empty() {
            None
        } else {
            Some(Worker::start(&rule.name, rule.actions)?)
        };
        let window = rule.condition.quantity().and_then(Quantity::window);
        let unread = rule.condition.quantity().map(|_| Unread::NotYet);
        Ok(Self {
            name: Arc::from(rule.name),
            window: window.map(Window::new),
            condition: rule.condition,
            figures: Figures::new(law.start(), unread),
            law,
            look: rule.look,
            dumps: rule.dumps,
            worker,
            dump_error: None,
            untold: None,
        })
    }

    fn plate(&self) -> Plate {
        Plate {
            name: Arc::clone(&self.name),
            condition: self.condition.to_string(),
            unit: self.condition.quantity().map(Quantity::unit),
            desk: self.worker.as_ref().map(|worker| Arc::clone(worker.desk())),
            dump_error: Mutex::new(None),
        }
    }
}

impl Watching {
    /// How it is doing. Allocates its answer.
    pub fn status(&self) -> Status {
        self.shared.status(!self.thread.is_finished())
    }

    /// Looks now instead of at the next tick.
    pub fn wake(&self) {
        process::wake();
    }

    /// Ends the watcher's thread, and waits for that. Sampling is as it was before a rule looked closer.
    ///
    /// Threads of rules end as well; one whose callback is just running ends after it, and nobody waits for that.
    pub fn stop(self) {
        // Release: pairs with the Acquire in `Watch::run`.
        self.shared.stop.store(true, Ordering::Release);
        process::wake();
        // A thread that has panicked has ended, too.
        drop(self.thread.join());
    }
}

impl Only {
    fn claim() -> Option<Self> {
        let own = std::process::id();
        let others = RUNNING.load(Ordering::Relaxed);
        if others == own {
            return None;
        }
        let order = Ordering::AcqRel;
        let claimed = RUNNING.compare_exchange(others, own, order, Ordering::Relaxed);
        // Not `then_some`: one that is not claimed must not be dropped.
        claimed.is_ok().then(|| Self)
    }
}

impl Drop for Only {
    fn drop(&mut self) {
        RUNNING.store(0, Ordering::Release);
    }
}

impl Default for Watcher {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher")
            .field("every", &self.every)
            .field("rules", &self.rules)
            .field("reclaimers", &self.reclaimers.len())
            .finish()
    }
}

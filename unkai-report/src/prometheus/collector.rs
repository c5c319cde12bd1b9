//! A heap profile in a registry of the program's own.

use std::sync::Arc;
use std::{fmt, mem};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use unkai_core::{Snapshot, aside};

use super::Options;
use super::heap::Heap;
use super::top::Top;
use crate::name_cache::NameCache;
use crate::report::Report;
use crate::symbols::SourceFunction;

/// The [metrics](super) of a heap profile for a [`Registry`](prometheus_client::registry::Registry) of the program's own:
/// they are written with each scrape, beside all others.
///
/// A scrape fails, for all metrics of the registry, if the source gives the difference of two snapshots.
///
/// # Cost
/// Each scrape takes a snapshot and adds up its call stacks: about 12 µs for each, so 0.2 s where the profiler's table of
/// sites is full by default, and memory for a copy of them.
///
/// Names cost more, so they are kept: an address is looked up when it is met first, and never again. On a large binary
/// a scrape with new addresses takes seconds and, until it is done, hundreds of MB, as
/// [`Symbols::resolve`](crate::Symbols::resolve) says; Prometheus waits for 10 seconds unless told otherwise. In
/// the long run, looking up takes a twentieth of the time at most, and then it rests. What is
/// new in between is part of `(other sites)`; then the counter of its site rises by all that it has allocated. [`NameCache`]
/// says what is kept. With [`top_sites(0)`](Options::top_sites) there are no names, and none of these costs.
///
/// ```
/// use std::time::SystemTime;
/// use prometheus_client::encoding::text::encode;
/// use prometheus_client::metrics::counter::Counter;
/// use prometheus_client::registry::Registry;
/// use unkai_core::Snapshot;
/// use unkai_report::prometheus::{HeapCollector, Options};
///
/// let mut registry = Registry::default();
/// let requests = Counter::<u64>::default();
/// registry.register("requests", "Requests served", requests.clone());
/// // In a real program: `|| HEAP.snapshot()`, where `HEAP` is its global allocator.
/// let source = || Snapshot::empty(SystemTime::now());
/// registry.register_collector(Box::new(HeapCollector::new(source, Options::new())));
///
/// requests.inc();
/// let mut text = String::new();
/// encode(&mut text, &registry)?;
/// assert!(text.contains("\nrequests_total 1\n"));
/// assert!(text.contains("\nunkai_live_bytes 0\n"));
/// # Ok::<(), std::fmt::Error>(())
/// ```
pub struct HeapCollector {
    source: Box<dyn Fn() -> Snapshot + Send + Sync>,
    options: Options,
    names: Arc<NameCache>,
}

impl HeapCollector {
    /// Asks `source` for a snapshot of this process at each scrape.
    pub fn new(source: impl Fn() -> Snapshot + Send + Sync + 'static, options: Options) -> Self {
        Self {
            source: Box::new(source),
            options,
            names: Arc::default(),
        }
    }

    /// Names functions by `look_up` in place of the debug information of this process. It is called as
    /// [`Symbols::resolve_with`](crate::Symbols::resolve_with) says, once for each address.
    #[must_use]
    pub fn names(
        mut self,
        look_up: impl FnMut(u64) -> Vec<SourceFunction> + Send + 'static,
    ) -> Self {
        self.names = Arc::new(NameCache::by(look_up));
        self
    }

    /// Shares names with others that make reports of this process. While another thread looks up, a scrape does with what
    /// is known, and does not wait.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::SystemTime;
    /// use unkai_core::Snapshot;
    /// use unkai_report::NameCache;
    /// use unkai_report::prometheus::{HeapCollector, Options};
    ///
    /// let names = Arc::new(NameCache::new());
    /// let source = || Snapshot::empty(SystemTime::now());
    /// let collector = HeapCollector::new(source, Options::new()).shared_names(Arc::clone(&names));
    /// ```
    #[must_use]
    pub fn shared_names(mut self, names: Arc<NameCache>) -> Self {
        self.names = names;
        self
    }

    fn heap(&self, mut snapshot: Snapshot) -> Heap {
        let top_sites = self.options.top_sites;
        if top_sites == 0 {
            return Heap::new(&snapshot, Top::default());
        }
        self.names.learn_without_waiting(&snapshot);
        let known = self.names.known();
        let (named, unnamed) = mem::take(&mut snapshot.sites)
            .into_iter()
            .partition(|site| known.has(site));
        snapshot.sites = named;
        let unnamed: Vec<_> = unnamed;
        let report = Report::of_shared(snapshot, Arc::clone(known.symbols()));
        let top = Top::of(&report, &unnamed, top_sites);
        Heap::new(report.snapshot(), top)
    }
}

impl Collector for HeapCollector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        aside(|| {
            let snapshot = (self.source)();
            if snapshot.window.is_some() {
                return Err(fmt::Error);
            }
            self.heap(snapshot).encode(encoder)
        })
    }
}

impl fmt::Debug for HeapCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeapCollector")
            .field("options", &self.options)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

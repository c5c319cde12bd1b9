//! Taking a snapshot: copies, sums and estimates. No thread is stopped, and none waits.

use std::time::{Duration, SystemTime};

use super::{Tables, Tracker};
use crate::probe::clock::Tick;
use crate::probe::unwind;
use crate::resident::resident_bytes;
use crate::snapshot::{
    Amount, DurationHistogram, OwnMemory, Site, Snapshot, TableUse, Totals, UnwindingStatus,
};
use crate::store::cells::Cells;
use crate::store::sites::{SiteFigures, SiteId, Sites};
use crate::store::trie::NodeId;
use crate::sync::Ordering;

impl Tracker {
    /// The exact totals now.
    pub(crate) fn totals(&self) -> Totals {
        let mut totals = Totals {
            refused_requests: self.refused.load(Ordering::Relaxed),
            ..Totals::default()
        };
        // Frees first: see `Pool::totals`.
        totals.freed = self.shared.freed();
        if let Some(tables) = self.tables.get() {
            let (allocated, freed) = tables.pool.totals();
            totals.freed = sum(totals.freed, freed);
            totals.allocated = allocated;
            self.measure(tables);
            (totals.peak_live_bytes, totals.peak_error_bytes) = tables.peak.read(&tables.pool);
        } else {
            totals.peak_live_bytes = self.shared.peak();
        }
        totals.allocated = sum(totals.allocated, self.shared.allocated());
        totals
    }

    /// Everything that is known now. Takes a time proportional to the number of sites and live samples; allocates.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut snapshot = self.survey();
        if let Some(tables) = self.tables.get() {
            snapshot.sites = sites(tables, snapshot.uptime.as_nanos() as u64);
        }
        snapshot
    }

    /// Everything but the sites. Allocates nothing.
    pub(crate) fn survey(&self) -> Snapshot {
        let mut snapshot = Snapshot::empty(SystemTime::now());
        snapshot.totals = self.totals();
        snapshot.limit = self.limit_status(snapshot.totals.live_bytes());
        snapshot.resident_bytes = resident_bytes();
        snapshot.losses = self.lost.read();
        if let Some(tables) = self.tables.get() {
            snapshot.uptime = Duration::from_nanos(tables.clock.uptime());
            let (set, widening) = self.control.wanted();
            let threshold_bytes = tables.config.get_threshold_bytes() as u64;
            snapshot.sampling = widening.status(set, self.control.is_paused(), threshold_bytes);
            snapshot.unwinding = UnwindingStatus {
                kind: unwind::last_kind(),
                frame_pointers: unwind::frame_pointers_found(),
                max_frames: tables.config.get_max_frames() as u32,
                skipped_frames: tables.config.get_skip_frames() as u32,
                modules: unwind::modules(),
            };
            snapshot.own_memory = own_memory(tables);
        }
        snapshot
    }

    /// Calls `visit` with each site, one after the other, in `site`, without the ages of its blocks. Allocates nothing if
    /// the stack of `site` has room for the longest.
    pub(crate) fn each_site(&self, site: &mut Site, mut visit: impl FnMut(&Site)) {
        let Some(tables) = self.tables.get() else {
            return;
        };
        let uptime = tables.clock.uptime();
        for figures in tables.sites.figures(tables.peak.epoch()) {
            fill(site, tables, uptime, figures);
            visit(site);
        }
    }

    /// The most live bytes that any one call stack holds.
    pub(crate) fn largest_site_bytes(&self) -> f64 {
        self.tables
            .get()
            .map_or(0.0, |tables| tables.sites.largest_live_bytes())
    }
}

fn sites(tables: &Tables, uptime: u64) -> Vec<Site> {
    let mut ages = Ages::new(tables);
    let now = tables.clock.tick();
    tables.live.each(|_, block| {
        ages.add(
            block.site,
            tables.clock.nanoseconds(Tick(block.born), now).min(uptime),
            block.blocks,
        );
    });
    let figures = tables.sites.figures(tables.peak.epoch());
    figures
        .map(|figures| {
            let id = figures.id;
            let mut site = Site::new(id.number(), Vec::new());
            fill(&mut site, tables, uptime, figures);
            site.ages = ages.take(id);
            site
        })
        .collect()
}

/// Puts everything but the ages into `site`. No block has lived longer than the profile, `uptime` nanoseconds, whatever the
/// counter of ticks says.
fn fill(site: &mut Site, tables: &Tables, uptime: u64, figures: SiteFigures) {
    let root = match figures.id {
        SiteId::NO_STACK | SiteId::OTHER => {
            site.stack.clear();
            NodeId::ROOT
        }
        _ => tables.trie.read_stack(figures.node, &mut site.stack),
    };
    site.id = figures.id.number();
    site.truncated = root == NodeId::TRUNCATED;
    site.prefix_only = tables.trie.is_prefix(figures.node);
    site.allocated = figures.allocated;
    site.live = figures.live;
    site.at_peak = figures.at_peak;
    site.lifetimes = figures.lifetimes;
    site.lifetimes.cut_at(uptime);
}

/// Ages of the live blocks of each site. Made before the table is walked, so that the walk does not allocate.
struct Ages {
    of_sites: Vec<DurationHistogram>,
}

impl Ages {
    fn new(tables: &Tables) -> Self {
        Self {
            of_sites: vec![DurationHistogram::default(); tables.sites.used() as usize],
        }
    }

    fn add(&mut self, site: SiteId, age: u64, blocks: f64) {
        // A site that is newer than the walk will be in the next snapshot.
        if let Some(ages) = self.of_sites.get_mut(site.number() as usize) {
            ages.buckets[DurationHistogram::bucket_of(age)] += blocks;
        }
    }

    fn take(&mut self, site: SiteId) -> DurationHistogram {
        self.of_sites
            .get_mut(site.number() as usize)
            .map(std::mem::take)
            .unwrap_or_default()
    }
}

fn own_memory(tables: &Tables) -> OwnMemory {
    let table = |entries, capacity, (used_bytes, capacity_bytes)| TableUse {
        entries,
        capacity,
        used_bytes,
        capacity_bytes,
    };
    let cells = size_of::<Cells>() as u64;
    let (pool, trie, sites, live) = (&tables.pool, &tables.trie, &tables.sites, &tables.live);
    OwnMemory {
        threads: table(
            pool.used(),
            pool.capacity(),
            (pool.used() * cells, pool.capacity() * cells),
        ),
        stacks: table(trie.used(), trie.capacity(), {
            let (used, most) = trie.bytes();
            let memos = tables.sites_of_stacks.bytes() + tables.nodes_of_parts.bytes();
            (used + memos, most + memos)
        }),
        sites: table(
            sites.used(),
            sites.capacity(),
            (
                sites.used() * Sites::ENTRY_BYTES,
                sites.capacity() * Sites::ENTRY_BYTES,
            ),
        ),
        live_blocks: table(live.entries(), live.capacity(), live.bytes()),
        unwinder_bytes: unwind::own_bytes(),
    }
}

fn sum(one: Amount, other: Amount) -> Amount {
    Amount {
        bytes: one.bytes.wrapping_add(other.bytes),
        blocks: one.blocks.wrapping_add(other.blocks),
    }
}

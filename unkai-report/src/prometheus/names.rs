//! Names that are kept from one scrape to the next.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::time::{Duration, Instant};

use unkai_core::{Site, Snapshot};

use crate::symbols::{SourceFunction, Symbols};

/// Finds the functions at an address, innermost first.
pub(super) type LookUp = Box<dyn FnMut(u64) -> Vec<SourceFunction> + Send>;

/// Every address is looked up once, and looking up takes a small part of the time only.
#[derive(Default)]
pub(super) struct Names {
    symbols: Symbols,
    /// All that were looked up, whether they have a name or not.
    known: HashSet<u64>,
    /// In place of this process's debug information.
    look_up: Option<LookUp>,
    /// The uptime before which nothing is looked up.
    resume_at: Duration,
}

impl Names {
    /// Names by `look_up`.
    pub(super) fn by(look_up: LookUp) -> Self {
        Self {
            look_up: Some(look_up),
            ..Self::default()
        }
    }

    /// Looks up what is new in `snapshot`, if it is time to.
    pub(super) fn learn(&mut self, snapshot: &Snapshot) {
        if snapshot.uptime < self.resume_at {
            return;
        }
        let addresses = snapshot.sites.iter().flat_map(|site| &site.stack);
        let new: BTreeSet<u64> = addresses
            .copied()
            .filter(|address| !self.known.contains(address))
            .collect();
        if new.is_empty() {
            return;
        }
        let start = Instant::now();
        self.known.extend(&new);
        let found = match &mut self.look_up {
            Some(look_up) => Symbols::resolve_with(new, look_up),
            None => Symbols::resolve(new),
        };
        self.symbols.add_missing(&found);
        let rest = start.elapsed().saturating_mul(REST);
        self.resume_at = snapshot.uptime.saturating_add(rest);
    }

    /// Whether all of the site's call stack was looked up.
    pub(super) fn know(&self, site: &Site) -> bool {
        site.stack
            .iter()
            .all(|address| self.known.contains(address))
    }

    /// The names. Whoever takes them puts them back.
    pub(super) fn symbols(&mut self) -> &mut Symbols {
        &mut self.symbols
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names")
            .field("known", &self.known.len())
            .field("resume_at", &self.resume_at)
            .finish_non_exhaustive()
    }
}

/// After looking up, so many times as long passes before the next time: it takes a twentieth of the time at most.
const REST: u32 = 19;

//! What the rules of one tick need to know, read once, without allocating.
//!
//! Only what some rule looks at is read.

#[cfg(target_os = "linux")]
mod file;
#[cfg(all(unkai_internals, target_os = "linux"))]
pub(crate) mod internals;
#[cfg(target_os = "linux")]
mod limits;
#[cfg(target_os = "linux")]
mod statm;

use std::fmt;
use std::time::Duration;

use unkai_core::{Totals, process};

use crate::limit::Limit;
use crate::quantity::Quantity;
use crate::window::Window;

#[cfg(target_os = "linux")]
use system::System;

/// Which numbers of the system are read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Needs {
    pub(crate) resident: bool,
    pub(crate) limits: bool,
    pub(crate) largest_site: bool,
    pub(crate) process_limit: bool,
}

/// Reads.
#[derive(Debug)]
pub(crate) struct Readings {
    needs: Needs,
    system: System,
}

/// What was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Readout {
    pub(crate) now: Duration,
    pub(crate) totals: Totals,
    pub(crate) live: u64,
    resident: Option<u64>,
    pub(crate) limit: Option<Limit>,
    largest_site: f64,
    pub(crate) process_limit: Option<u64>,
}

/// Why a quantity has no value now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    NotYet,
    Resident,
    NoLimit,
    NoProcessLimit,
    FirstWindow,
}

impl Needs {
    /// Those of one more quantity.
    pub(crate) fn add(&mut self, quantity: &Quantity) {
        match quantity {
            Quantity::ResidentBytes => self.resident = true,
            Quantity::ShareOfLimit => self.limits = true,
            Quantity::LargestSiteBytes => self.largest_site = true,
            Quantity::ShareOfProcessLimit => self.process_limit = true,
            _ => {}
        }
    }
}

impl Readings {
    /// Opens what `needs` say.
    pub(crate) fn open(needs: Needs) -> Self {
        let system = System::open(needs);
        Self { needs, system }
    }

    /// What was missing, in sentences.
    pub(crate) fn notes(&self) -> &[String] {
        self.system.notes()
    }

    pub(crate) fn read(&mut self, now: Duration) -> Readout {
        let (resident, limit) = self.system.read();
        let largest_site = if self.needs.largest_site {
            process::largest_site_bytes()
        } else {
            0.0
        };
        let limit_of_process = self.needs.process_limit.then(process::limit).flatten();
        let process_limit = limit_of_process.map(|limit| limit.limit_bytes.max(1));
        let totals = process::totals();
        Readout {
            now,
            totals,
            live: u64::try_from(totals.live_bytes()).unwrap_or(0),
            resident,
            limit,
            largest_site,
            process_limit,
        }
    }

    /// The fewest bytes by which live bytes must grow until `quantity` can be at `threshold`, as far as that depends on
    /// live bytes.
    pub(crate) fn room(
        &self,
        readout: &Readout,
        quantity: &Quantity,
        threshold: f64,
        value: f64,
    ) -> Option<f64> {
        match quantity {
            Quantity::AllocationRate { .. } => None,
            Quantity::ShareOfLimit => Some(self.system.room(threshold)),
            Quantity::ShareOfProcessLimit => readout
                .process_limit
                .map(|bytes| (threshold - value) * bytes as f64),
            _ => Some(threshold - value),
        }
    }
}

impl Readout {
    /// The value of `quantity`, whose window is `window`.
    pub(crate) fn value(
        &self,
        quantity: &Quantity,
        window: Option<&mut Window>,
    ) -> Result<f64, Unread> {
        match quantity {
            Quantity::ResidentBytes => self
                .resident
                .map(|bytes| bytes as f64)
                .ok_or(Unread::Resident),
            Quantity::ShareOfLimit => self.limit.map(|limit| limit.share()).ok_or(Unread::NoLimit),
            Quantity::LargestSiteBytes => Ok(self.largest_site),
            Quantity::ScopeBytes(scope) => Ok(scope.used() as f64),
            Quantity::Growth { .. } => {
                let lowest = window.and_then(|window| {
                    window.add(self.now, self.live);
                    window.lowest(self.now)
                });
                Ok((self.live - lowest.unwrap_or(self.live)) as f64)
            }
            Quantity::AllocationRate { .. } => {
                let allocated = self.totals.allocated.bytes;
                let rate = window.and_then(|window| {
                    window.add(self.now, allocated);
                    window.rate(self.now, allocated)
                });
                rate.ok_or(Unread::FirstWindow)
            }
            Quantity::ShareOfProcessLimit => self
                .process_limit
                .map(|bytes| self.live as f64 / bytes as f64)
                .ok_or(Unread::NoProcessLimit),
            Quantity::LiveBytes => Ok(self.live as f64),
        }
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotYet => "it was not looked at yet",
            Self::Resident => "this system does not say how much memory is resident",
            Self::NoLimit => "no limit of memory was found",
            Self::NoProcessLimit => "the process has no limit: set Config::limit",
            Self::FirstWindow => "its first window is not over",
        })
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::path::Path;

    use super::Needs;
    use super::limits::Limits;
    use super::statm::Statm;
    use crate::limit::Limit;

    /// What Linux is asked.
    #[derive(Debug)]
    pub(super) struct System {
        statm: Option<Statm>,
        limits: Option<Limits>,
    }

    impl System {
        pub(super) fn open(needs: Needs) -> Self {
            let root = Path::new("/");
            Self {
                statm: (needs.resident || needs.limits)
                    .then(|| Statm::open(root))
                    .flatten(),
                limits: needs.limits.then(|| Limits::find(root)),
            }
        }

        pub(super) fn notes(&self) -> &[String] {
            self.limits.as_ref().map_or(&[], Limits::notes)
        }

        pub(super) fn read(&mut self) -> (Option<u64>, Option<Limit>) {
            let own = self.statm.as_ref().and_then(Statm::read);
            let limit = self.limits.as_mut().and_then(|limits| limits.read(own));
            (own.map(|own| own.resident), limit)
        }

        pub(super) fn room(&self, share: f64) -> f64 {
            self.limits
                .as_ref()
                .map_or(f64::INFINITY, |limits| limits.room(share))
        }
    }
}

#[cfg(test)]
mod tests;

/// Other systems are not asked.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
struct System;

#[cfg(not(target_os = "linux"))]
impl System {
    fn open(_: Needs) -> Self {
        Self
    }

    fn notes(&self) -> &[String] {
        &[]
    }

    fn read(&mut self) -> (Option<u64>, Option<Limit>) {
        (None, None)
    }

    fn room(&self, _: f64) -> f64 {
        f64::INFINITY
    }
}

//! A snapshot with names: what every output format is made from.

use std::borrow::Cow;
use std::sync::Arc;

use unkai_core::{Site, Snapshot, aside};

use crate::modules::Modules;
use crate::resolve::ResolveLimits;
use crate::symbols::{Function, Symbols};
use crate::value::Value;

/// The state of a heap profile with the names of its functions.
///
/// It owns its numbers: the program allocates on while a report is made, written or kept, and the report never changes.
/// Every format of this crate writes one; [`json`](crate::json) also reads one.
///
/// ```
/// use std::time::SystemTime;
/// use unkai_core::Snapshot;
/// use unkai_report::Report;
///
/// let report = Report::new(Snapshot::empty(SystemTime::now()));
/// assert!(report.snapshot().sites.is_empty());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    snapshot: Snapshot,
    /// Shared with all reports that one cache of names has named.
    symbols: Arc<Symbols>,
    modules: Modules,
}

/// One entry of a call stack: a return address, and one of the functions that it lies in.
///
/// An address in inlined code gives one frame for each function, innermost first.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Frame<'a> {
    /// The return address.
    pub address: u64,
    /// The function, if it has a name.
    pub function: Option<&'a Function>,
    /// The line in the function's file.
    pub line: Option<u32>,
    /// Whether the function is inlined into the next frame.
    pub inlined: bool,
}

impl Report {
    /// Names the functions of `snapshot`, which must come from this process, within the [default
    /// limits](ResolveLimits::new).
    ///
    /// # Cost
    /// That of [`Symbols::resolve_within`]: on a large binary seconds, and up to about 256 MiB of memory that goes back to
    /// the allocator before it returns.
    pub fn new(snapshot: Snapshot) -> Self {
        Self::new_within(snapshot, &ResolveLimits::new())
    }

    /// Names the functions of `snapshot`, which must come from this process, as far as `limits` allow: those of the
    /// sites with the most bytes first.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use unkai_core::Snapshot;
    /// use unkai_report::{Report, ResolveLimits};
    ///
    /// let limits = ResolveLimits::new().time(Duration::from_secs(1));
    /// let report = Report::new_within(Snapshot::empty(SystemTime::now()), &limits);
    /// assert!(report.symbols().is_empty());
    /// ```
    pub fn new_within(snapshot: Snapshot, limits: &ResolveLimits) -> Self {
        aside(|| {
            let symbols = Symbols::resolve_within(by_importance(&snapshot), limits);
            Self::from_parts(snapshot, symbols).with_modules(Modules::of_this_process())
        })
    }

    /// Leaves out all names: reports show addresses. Cheap, and enough to name the functions elsewhere, because the
    /// modules of this process are noted: `snapshot` must come from it.
    pub fn without_names(snapshot: Snapshot) -> Self {
        aside(|| {
            Self::from_parts(snapshot, Symbols::new()).with_modules(Modules::of_this_process())
        })
    }

    /// Joins a snapshot with names from any source. Addresses that `symbols` does not know are shown as numbers. No
    /// module is known.
    pub fn from_parts(snapshot: Snapshot, symbols: Symbols) -> Self {
        Self::of_shared(snapshot, Arc::new(symbols))
    }

    pub(crate) fn of_shared(snapshot: Snapshot, symbols: Arc<Symbols>) -> Self {
        Self {
            snapshot,
            symbols,
            modules: Modules::default(),
        }
    }

    /// Notes the modules that addresses of the snapshot lie in.
    #[must_use]
    pub fn with_modules(mut self, modules: Modules) -> Self {
        self.modules = modules;
        self
    }

    /// The numbers.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The names.
    pub fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    #[cfg(feature = "offline")]
    pub(crate) fn symbols_mut(&mut self) -> &mut Symbols {
        Arc::make_mut(&mut self.symbols)
    }

    /// The executable and the libraries that were loaded.
    pub fn modules(&self) -> &Modules {
        &self.modules
    }

    /// The distinct addresses of all call stacks, in ascending order, each with whether it has a name.
    pub(crate) fn addresses(&self) -> Vec<(u64, bool)> {
        let stacks = self.snapshot.sites.iter().map(|site| &site.stack);
        let mut addresses: Vec<u64> = stacks.flatten().copied().collect();
        addresses.sort_unstable();
        addresses.dedup();
        let is_named = |address| !self.symbols.locations(address).is_empty();
        addresses
            .into_iter()
            .map(|address| (address, is_named(address)))
            .collect()
    }

    /// Gives the numbers and the names back.
    pub fn into_parts(self) -> (Snapshot, Symbols) {
        (self.snapshot, Arc::unwrap_or_clone(self.symbols))
    }

    /// The whole call stack of `site`, innermost frame first, with inlined functions.
    pub fn call_stack(&self, site: &Site) -> Vec<Frame<'_>> {
        call_stack(site, &self.symbols)
    }
}

impl<'a> Frame<'a> {
    /// The function's name, or the address in hexadecimal if it has none.
    pub fn name(&self) -> Cow<'a, str> {
        match self.function {
            Some(function) => Cow::Borrowed(function.name()),
            None => Cow::Owned(format!("{:#x}", self.address)),
        }
    }

    /// The function's [short name](Function::short_name), or the address in hexadecimal if it has none.
    pub fn short_name(&self) -> Cow<'a, str> {
        match self.function {
            Some(function) => Cow::Borrowed(function.short_name()),
            None => Cow::Owned(format!("{:#x}", self.address)),
        }
    }

    /// `file:line` as far as it is known.
    pub fn place(&self) -> Option<String> {
        let file = self.function?.file()?;
        match self.line {
            Some(line) => Some(format!("{file}:{line}")),
            None => Some(file.to_owned()),
        }
    }
}

/// The addresses of all stacks, those of the sites first that stand highest in tables of bytes.
pub(crate) fn by_importance(snapshot: &Snapshot) -> impl Iterator<Item = u64> {
    let values = [Value::LiveBytes, Value::AllocatedBytes, Value::PeakBytes];
    let share = |value: Value| {
        let all: f64 = snapshot.sites.iter().map(|site| value.of(site).abs()).sum();
        move |site: &Site| {
            if all > 0.0 {
                value.of(site).abs() / all
            } else {
                0.0
            }
        }
    };
    let shares = values.map(share);
    let weight = |site: &Site| shares.iter().map(|share| share(site)).sum::<f64>();
    let mut sites: Vec<(f64, &Site)> = snapshot
        .sites
        .iter()
        .map(|site| (weight(site), site))
        .collect();
    sites.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    sites
        .into_iter()
        .flat_map(|(_, site)| site.stack.iter().copied())
}

/// The frames of `site`'s stack, innermost first.
pub(crate) fn call_stack<'a>(site: &Site, symbols: &'a Symbols) -> Vec<Frame<'a>> {
    let mut frames = Vec::with_capacity(site.stack.len());
    for &address in &site.stack {
        let locations = symbols.locations(address);
        for (index, location) in locations.iter().enumerate() {
            frames.push(Frame {
                address,
                function: symbols.function(location.function),
                line: location.line,
                inlined: index + 1 < locations.len(),
            });
        }
        if locations.is_empty() {
            frames.push(Frame {
                address,
                function: None,
                line: None,
                inlined: false,
            });
        }
    }
    frames
}

/// What to show in place of the frames of a site that has none.
pub(crate) fn stand_in(site: &Site) -> &'static str {
    if site.id == OTHER_SITE {
        OTHER
    } else {
        NO_STACK
    }
}

/// The site that takes what the full table of sites cannot.
pub(crate) const OTHER_SITE: u32 = 1;
/// Stands for the stack of a site without frames.
pub(crate) const NO_STACK: &str = "(stack could not be taken)";
/// Stands for the stack of the site "other".
pub(crate) const OTHER: &str = "(other: the table of sites is full)";
/// Stands for the missing inner frames of a stack.
pub(crate) const INNER_MISSING: &str = "… (stack table full)";
/// Stands for the missing outer frames of a stack.
pub(crate) const OUTER_MISSING: &str = "(outer frames missing)";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symbols::SourceFunction;

    #[test]
    fn inlined_functions_are_frames_of_their_own() {
        let function = |name: &str| SourceFunction {
            name: name.to_owned(),
            ..Default::default()
        };
        let mut symbols = Symbols::new();
        symbols.insert(0x10, &[function("a::inner"), function("a::outer")]);
        let site = Site::new(7, vec![0x10, 0x20]);
        let frames = call_stack(&site, &symbols);
        let names: Vec<_> = frames
            .iter()
            .map(|frame| (frame.name(), frame.inlined))
            .collect();
        let expected = [
            ("a::inner".into(), true),
            ("a::outer".into(), false),
            ("0x20".into(), false),
        ];
        assert_eq!(names, expected);
    }
}

//! Sites, addresses and functions, to and from the wire.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use foldhash::HashSet;
use unkai_core::{self as core, DURATION_BUCKETS, DurationHistogram};

use super::error::ReadError;
use super::wire::{Address, Document, Estimate, Frame, Function, Number, Site};
use crate::report::Report;
use crate::symbols::{Location, Symbols};

/// All functions that have a name.
pub(super) fn functions(symbols: &Symbols) -> Vec<Function> {
    symbols.functions().iter().map(function).collect()
}

/// All addresses that occur in a stack or have a name, in ascending order.
pub(super) fn addresses(report: &Report) -> Vec<Address> {
    let used = report
        .snapshot()
        .sites
        .iter()
        .flat_map(|site| site.stack.iter().copied());
    let named = report.symbols().addresses().map(|(address, _)| address);
    let all: BTreeSet<u64> = used.chain(named).collect();
    all.into_iter()
        .map(|address| self::address(address, report.symbols()))
        .collect()
}

/// All sites; their stacks are indices in `addresses`, which must have all that occur.
pub(super) fn sites(report: &Report, addresses: &[Address]) -> Vec<Site<'static>> {
    let index: BTreeMap<u64, u32> = addresses
        .iter()
        .map(|entry| entry.address)
        .zip(0..)
        .collect();
    report
        .snapshot()
        .sites
        .iter()
        .map(|site| indexed_site(site, &index))
        .collect()
}

fn function(function: &crate::symbols::Function) -> Function {
    Function {
        name: function.name().to_owned(),
        raw_name: function.raw_name().map(str::to_owned),
        file: function.file().map(str::to_owned),
    }
}

fn address(address: u64, symbols: &Symbols) -> Address {
    let frame = |location: &Location| Frame {
        function: location.function,
        line: location.line,
    };
    Address {
        address,
        frames: symbols.locations(address).iter().map(frame).collect(),
    }
}

pub(super) fn read_symbols(document: &Document) -> Result<Symbols, ReadError> {
    let mut symbols = Symbols::new();
    // A document may name a function twice; its frames then mean the first.
    let functions: Vec<u32> = document
        .functions
        .iter()
        .map(|function| {
            let (raw_name, file) = (function.raw_name.as_deref(), function.file.as_deref());
            symbols.intern_function(&function.name, raw_name, file)
        })
        .collect();
    let mut seen = HashSet::default();
    for (at, address) in document.addresses.iter().enumerate() {
        if !seen.insert(address.address) {
            return Err(ReadError::malformed(
                format!("addresses[{at}]"),
                "occurs twice",
            ));
        }
        let mut locations = Vec::with_capacity(address.frames.len());
        for (frame_at, frame) in address.frames.iter().enumerate() {
            let position = || format!("addresses[{at}].frames[{frame_at}].function");
            let function = functions.get(frame.function as usize);
            let function = function.ok_or_else(|| ReadError::malformed(position(), NO_ENTRY))?;
            locations.push(Location {
                function: *function,
                line: frame.line,
            });
        }
        symbols.insert_locations(address.address, locations);
    }
    Ok(symbols)
}

fn indexed_site(site: &core::Site, index: &BTreeMap<u64, u32>) -> Site<'static> {
    let stack = site.stack.iter().map(|address| index[address]).collect();
    let lifetimes = Cow::Owned(buckets(&site.lifetimes).collect());
    let ages = Cow::Owned(buckets(&site.ages).collect());
    Site {
        stack: Some(stack),
        ..figures(site, lifetimes, ages)
    }
}

/// Calls `use_it` with a site whose stack needs no table of addresses. Allocates nothing.
pub(super) fn with_lone_site<R>(site: &core::Site, use_it: impl FnOnce(&Site<'_>) -> R) -> R {
    let (mut lifetimes, mut ages) = (Buckets::default(), Buckets::default());
    let lifetimes = lifetimes.filled_from(&site.lifetimes);
    let ages = ages.filled_from(&site.ages);
    use_it(&Site {
        stack_addresses: Some(Cow::Borrowed(&site.stack)),
        ..figures(site, Cow::Borrowed(lifetimes), Cow::Borrowed(ages))
    })
}

/// A site without its stack.
fn figures<'a>(
    site: &core::Site,
    lifetimes: Cow<'a, [(u32, Number)]>,
    ages: Cow<'a, [(u32, Number)]>,
) -> Site<'a> {
    Site {
        id: site.id,
        stack: None,
        stack_addresses: None,
        truncated: site.truncated,
        prefix_only: site.prefix_only,
        allocated: estimate(&site.allocated),
        live: estimate(&site.live),
        at_peak: estimate(&site.at_peak),
        lifetimes,
        ages,
    }
}

pub(super) fn read_site(
    site: &Site<'_>,
    at: usize,
    addresses: &[Address],
) -> Result<core::Site, ReadError> {
    let stack = match (&site.stack, &site.stack_addresses) {
        (Some(indices), None) => read_stack(indices, at, addresses)?,
        (None, Some(addresses)) => addresses.to_vec(),
        _ => {
            let reason = "neither stack nor stack_addresses, or both";
            return Err(ReadError::malformed(format!("sites[{at}]"), reason));
        }
    };
    let mut read = core::Site::new(site.id, stack);
    read.truncated = site.truncated;
    read.prefix_only = site.prefix_only;
    read.allocated = read_estimate(&site.allocated);
    read.live = read_estimate(&site.live);
    read.at_peak = read_estimate(&site.at_peak);
    read.lifetimes = read_buckets(&site.lifetimes, || format!("sites[{at}].lifetimes"))?;
    read.ages = read_buckets(&site.ages, || format!("sites[{at}].ages"))?;
    Ok(read)
}

/// Refuses a document that says a lot in few words: an address may stand for many functions, and stacks may name it as often as
/// they like, so a small document could ask for more frames than there is memory for.
pub(super) fn check_frames(sites: &[core::Site], symbols: &Symbols) -> Result<(), ReadError> {
    let (mut addresses, mut frames) = (0_u64, 0_u64);
    for (at, site) in sites.iter().enumerate() {
        addresses += site.stack.len() as u64;
        let of_address = |address: &u64| symbols.locations(*address).len() as u64;
        frames += site.stack.iter().map(of_address).sum::<u64>();
        if frames > FEW_FRAMES.max(addresses.saturating_mul(MOST_INLINED)) {
            let position = format!("sites[{at}].stack");
            let reason = "more functions at its addresses than any program has inlined";
            return Err(ReadError::malformed(position, reason));
        }
    }
    Ok(())
}

/// Functions at an address, as the mean of all stacks. Of real programs it is between 1 and 5.
const MOST_INLINED: u64 = 64;
/// So many are let through whatever the mean.
const FEW_FRAMES: u64 = 1 << 20;

fn read_stack(indices: &[u32], at: usize, addresses: &[Address]) -> Result<Vec<u64>, ReadError> {
    let address = |(frame_at, index): (usize, &u32)| {
        let position = || format!("sites[{at}].stack[{frame_at}]");
        let address = addresses.get(*index as usize);
        let address = address.ok_or_else(|| ReadError::malformed(position(), NO_ENTRY))?;
        Ok(address.address)
    };
    indices.iter().enumerate().map(address).collect()
}

fn estimate(estimate: &core::Estimate) -> Estimate {
    Estimate {
        samples: estimate.samples,
        bytes: Number(estimate.bytes),
        blocks: Number(estimate.blocks),
        bytes_variance: Number(estimate.bytes_variance),
        blocks_variance: Number(estimate.blocks_variance),
    }
}

fn read_estimate(estimate: &Estimate) -> core::Estimate {
    core::Estimate {
        samples: estimate.samples,
        bytes: estimate.bytes.0,
        blocks: estimate.blocks.0,
        bytes_variance: estimate.bytes_variance.0,
        blocks_variance: estimate.blocks_variance.0,
    }
}

fn buckets(histogram: &DurationHistogram) -> impl Iterator<Item = (u32, Number)> {
    let buckets = (0..).zip(histogram.buckets);
    buckets
        .filter(|(_, blocks)| *blocks != 0.0)
        .map(|(at, blocks)| (at, Number(blocks)))
}

/// Room for all buckets of a histogram.
struct Buckets([(u32, Number); DURATION_BUCKETS]);

impl Default for Buckets {
    fn default() -> Self {
        Self([Default::default(); DURATION_BUCKETS])
    }
}

impl Buckets {
    fn filled_from(&mut self, histogram: &DurationHistogram) -> &[(u32, Number)] {
        let mut filled = 0;
        for (room, bucket) in self.0.iter_mut().zip(buckets(histogram)) {
            *room = bucket;
            filled += 1;
        }
        &self.0[..filled]
    }
}

fn read_buckets(
    buckets: &[(u32, Number)],
    position: impl Fn() -> String,
) -> Result<DurationHistogram, ReadError> {
    let mut read = DurationHistogram::default();
    let mut seen = [false; DURATION_BUCKETS];
    for (at, blocks) in buckets {
        let at = *at as usize;
        if at >= DURATION_BUCKETS || seen[at] {
            return Err(ReadError::malformed(
                position(),
                format!("no bucket {at}, or twice"),
            ));
        }
        seen[at] = true;
        read.buckets[at] = blocks.0;
    }
    Ok(read)
}

const NO_ENTRY: &str = "no such entry in the table";

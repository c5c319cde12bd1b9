//! Looks addresses up in the files of one module.

use std::collections::BTreeMap;
use std::fs::File;

use addr2line::Loader;
use object::read::ReadCache;
use object::{Object, ObjectSymbol, SymbolKind};

use super::image::Image;
use crate::modules::Module;
use crate::symbols::SourceFunction;

/// The functions at each of `addresses` for which one of `images` knows a name, innermost first.
pub(super) fn name(
    images: &[Image],
    mappings: &[&Module],
    addresses: &[u64],
) -> Vec<(u64, Vec<SourceFunction>)> {
    let mut named = Vec::new();
    let mut left = addresses.to_vec();
    for image in images {
        let linked = linked(image, mappings, &left);
        // One file at a time is in memory.
        let mut found = look_up(image, &linked);
        left.retain(|address| match found.remove(address) {
            Some(functions) => {
                named.push((*address, functions));
                false
            }
            None => true,
        });
        if left.is_empty() {
            break;
        }
    }
    named
}

/// Each return address with the address in `image` of the call before it.
fn linked(image: &Image, mappings: &[&Module], addresses: &[u64]) -> BTreeMap<u64, u64> {
    let offsets = mappings.iter().map(|mapping| mapping.file_offset);
    let lowest = offsets.min().unwrap_or(0);
    let of = |&address: &u64| {
        let call = address.checked_sub(1)?;
        let mapping = mappings
            .iter()
            .find(|mapping| (mapping.start..mapping.end).contains(&call))?;
        Some((address, image.linked(call, mapping, lowest)?))
    };
    addresses.iter().filter_map(of).collect()
}

fn look_up(image: &Image, linked: &BTreeMap<u64, u64>) -> BTreeMap<u64, Vec<SourceFunction>> {
    let symbols = symbols(image, linked.values().copied()).unwrap_or_default();
    // A file without debug information loads as well, and knows nothing.
    let loader = Loader::new(image.path()).ok();
    let mut found = BTreeMap::new();
    for (&address, &call) in linked {
        let symbol = symbols.get(&call).map(String::as_str);
        let mut functions = Vec::new();
        if let Some(loader) = &loader {
            frames(loader, call, symbol, &mut functions);
        }
        if functions.is_empty()
            && let Some(name) = symbol
        {
            functions.push(SourceFunction {
                name: name.to_owned(),
                ..SourceFunction::default()
            });
        }
        if !functions.is_empty() {
            found.insert(address, functions);
        }
    }
    found
}

/// What the debug information says about `call`; as far as it goes, if it is damaged.
fn frames(loader: &Loader, call: u64, symbol: Option<&str>, functions: &mut Vec<SourceFunction>) {
    let Ok(mut frames) = loader.find_frames(call) else {
        return;
    };
    while let Ok(Some(frame)) = frames.next() {
        let name = match &frame.function {
            Some(function) => function.raw_name().ok().map(|name| name.into_owned()),
            None => symbol.map(str::to_owned),
        };
        if let Some(name) = name {
            let location = frame.location.as_ref();
            functions.push(SourceFunction {
                name,
                file: location
                    .and_then(|location| location.file)
                    .map(str::to_owned),
                line: location.and_then(|location| location.line),
            });
        }
    }
}

/// The symbol that each of `calls` lies in, from the table of all symbols or, without one, of the exported ones.
fn symbols(image: &Image, calls: impl Iterator<Item = u64>) -> Option<BTreeMap<u64, String>> {
    let cache = ReadCache::new(File::open(image.path()).ok()?);
    let object = object::File::parse(&cache).ok()?;
    let mut calls: Vec<u64> = calls.collect();
    calls.sort_unstable();
    // For each call, the last symbol that starts between the call before it and itself.
    let mut starting: Vec<Option<Extent>> = vec![None; calls.len()];
    let mut table = object.symbols();
    if object.symbols().next().is_none() {
        table = object.dynamic_symbols();
    }
    for extent in table.filter_map(|symbol| extent(&symbol)) {
        let at = calls.partition_point(|call| *call < extent.start);
        if let Some(known) = starting.get_mut(at)
            && known
                .as_ref()
                .is_none_or(|known| known.start < extent.start)
        {
            *known = Some(extent);
        }
    }
    let mut found = BTreeMap::new();
    let mut last: Option<Extent> = None;
    for (call, starting) in calls.iter().zip(starting) {
        last = starting.or(last);
        if let Some(extent) = last
            .as_ref()
            .filter(|extent| call - extent.start < extent.size)
        {
            found.insert(*call, String::from_utf8_lossy(extent.name).into_owned());
        }
    }
    Some(found)
}

/// The code that a symbol stands for.
#[derive(Clone)]
struct Extent<'data> {
    start: u64,
    size: u64,
    name: &'data [u8],
}

fn extent<'data>(symbol: &impl ObjectSymbol<'data>) -> Option<Extent<'data>> {
    let is_function = symbol.kind() == SymbolKind::Text && symbol.is_definition();
    Some(Extent {
        start: symbol.address(),
        // Some that are written in assembly have no size.
        size: symbol.size().max(1),
        name: symbol
            .name_bytes()
            .ok()
            .filter(|name| is_function && !name.is_empty())?,
    })
}

//! Whatever a binary calls its functions and files, no name acts on a terminal, and every format is well-formed.
//!
//! The input is lines: a frame each, `name` or `name<tab>file`; an empty line ends a call stack.

#![no_main]

use std::time::SystemTime;

use libfuzzer_sys::fuzz_target;
use unkai_core::{Site, Snapshot};
use unkai_fuzz::formats::{self, is_well_formed};
use unkai_fuzz::text::does_not_act;
use unkai_report::{Module, Report, SourceFunction, Symbols, readable_stacks};

fuzz_target!(|input: &[u8]| {
    // What is no UTF-8 is replaced before it becomes a name, as everywhere.
    let text = String::from_utf8_lossy(input);
    let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
    let mut functions = Vec::new();
    for (number, stack) in text.split("\n\n").take(8).enumerate() {
        let mut addresses = Vec::new();
        for frame in stack.split('\n').take(16) {
            let (name, file) = frame
                .split_once('\t')
                .map_or((frame, None), |(name, file)| (name, Some(file)));
            functions.push(SourceFunction {
                name: name.to_owned(),
                file: file.map(str::to_owned),
                line: file.map(|file| file.len() as u32),
            });
            // Every third frame is inlined into the one before.
            if functions.len() % 3 != 0 {
                addresses.push(functions.len() as u64);
            }
        }
        let mut site = Site::new(number as u32 + 2, addresses);
        site.live.bytes = 4096.0;
        site.live.blocks = 2.0;
        site.live.samples = 1;
        site.allocated = site.live;
        site.truncated = stack.len() % 5 == 1;
        snapshot.sites.push(site);
    }
    let symbols = Symbols::resolve_with(1..=functions.len() as u64, |address| {
        let first = address as usize;
        let inlined = if (first + 2) % 3 == 0 { 2 } else { 1 };
        functions[first..].iter().take(inlined).cloned().collect()
    });
    for function in symbols.functions() {
        does_not_act("a name", function.name());
        does_not_act("a short name", function.short_name());
        does_not_act("a file", function.file().unwrap_or_default());
    }
    let path = Module::new(1, 64, 0, text.split('\n').next().unwrap_or_default());
    does_not_act("a module's path", &path.path);
    let _ = readable_stacks(&snapshot);
    let report = Report::from_parts(snapshot, symbols).with_modules([path].into_iter().collect());
    is_well_formed(&report, formats::choice(input));
});

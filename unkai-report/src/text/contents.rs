//! How much a report knows: call stacks, names and modules.

use std::collections::BTreeSet;
use std::io;

use super::Options;
use super::layout::{fit_place, heading};
use crate::report::Report;
use crate::units::digits;

pub(super) fn write(
    report: &Report,
    options: &Options<'_>,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let snapshot = report.snapshot();
    let stacks = snapshot.sites.iter().flat_map(|site| &site.stack);
    let addresses: BTreeSet<u64> = stacks.copied().collect();
    let is_named = |address: &&u64| !report.symbols().locations(**address).is_empty();
    let named = addresses.iter().filter(is_named).count();
    // One file can be loaded in several stretches.
    let mut modules: Vec<(&str, Option<String>)> = Vec::new();
    for module in report.modules().list() {
        if modules.iter().all(|(path, _)| *path != module.path) {
            modules.push((&module.path, module.build_id_text()));
        }
    }

    heading("Contents", options, out)?;
    let mut line = |name: &str, count: usize, more: &str| {
        writeln!(out, "  {name:<12}{:>12}{more}", digits(count as u64))
    };
    line("call stacks", snapshot.sites.len(), "")?;
    let of_them = format!("   ({} of them named)", digits(named as u64));
    line("addresses", addresses.len(), &of_them)?;
    line("functions", report.symbols().functions().len(), "")?;
    line("modules", modules.len(), "")?;
    for (path, build_id) in modules {
        writeln!(out, "    {}", fit_place(path, options.width - 4))?;
        if let Some(build_id) = build_id {
            writeln!(out, "      build id {build_id}")?;
        }
    }
    Ok(())
}

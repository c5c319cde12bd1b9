//! How much a report knows: call stacks, names and modules.

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
    let addresses = report.addresses();
    let named = addresses.iter().filter(|(_, named)| *named).count();
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

//! What could not be recorded, in words, and the memory that unkai takes itself.

use std::io;

use unkai_core::TableUse;

use super::Options;
use super::layout::{heading, painted_paragraph, paragraph};
use super::paint::Ink;
use crate::report::Report;
use crate::units::{bytes, count, digits, share};
use crate::words::losses::explanation;

pub(super) fn write(
    report: &Report,
    options: &Options<'_>,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let losses = &report.snapshot().losses;
    if losses.is_empty() {
        return Ok(());
    }
    heading("Losses", options, out)?;
    for (cause, events) in losses.iter().filter(|(_, events)| *events > 0) {
        let lead = format!("{:>12}  ", digits(events));
        let painted = options.paint.ink(Ink::Warning, &lead);
        painted_paragraph(&lead, painted, explanation(cause), options.width, out)?;
    }
    Ok(())
}

pub(super) fn write_own_memory(
    report: &Report,
    options: &Options<'_>,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let own = &report.snapshot().own_memory;
    let tables = [
        ("threads", own.threads),
        ("call stacks", own.stacks),
        ("sites", own.sites),
        ("live samples", own.live_blocks),
    ];
    heading("unkai's own memory", options, out)?;
    writeln!(
        out,
        "{:14}{:>11} {:>11} {:>8} {:>12} {:>12}",
        "", "used", "at most", "full", "entries", "at most"
    )?;
    let (mut used, mut most) = (own.unwinder_bytes, own.unwinder_bytes);
    for (name, table) in tables {
        used = used.saturating_add(table.used_bytes);
        most = most.saturating_add(table.capacity_bytes);
        write_table(name, &table, out)?;
    }
    let unwinder = bytes(own.unwinder_bytes as f64);
    writeln!(out, "  {:<12}{unwinder:>11}", "unwinder")?;
    let (used, most) = (bytes(used as f64), bytes(most as f64));
    writeln!(out, "  {:<12}{used:>11} {most:>11}", "together")?;
    let note =
        "The unwinder's part is on the program's heap and in the totals; the tables are beside it.";
    paragraph("  ", note, options.width, out)
}

fn write_table(name: &str, table: &TableUse, out: &mut dyn io::Write) -> io::Result<()> {
    let used = bytes(table.used_bytes as f64);
    let most = bytes(table.capacity_bytes as f64);
    let full = share(table.entries as f64, table.capacity as f64);
    let (entries, capacity) = (count(table.entries as f64), count(table.capacity as f64));
    writeln!(
        out,
        "  {name:<12}{used:>11} {most:>11} {full:>8} {entries:>12} {capacity:>12}"
    )
}

//! What could not be recorded, in words, and the memory that unkai takes itself.

use std::io;

use unkai_core::{Cause, TableUse};

use super::Options;
use super::layout::{heading, paragraph};
use crate::report::Report;
use crate::units::{bytes, count, digits, share};

pub(super) fn write(report: &Report, options: &Options, out: &mut dyn io::Write) -> io::Result<()> {
    let losses = &report.snapshot().losses;
    if losses.is_empty() {
        return Ok(());
    }
    heading("Losses", options.width, out)?;
    for (cause, events) in losses.iter().filter(|(_, events)| *events > 0) {
        let lead = format!("{:>12}  ", digits(events));
        paragraph(&lead, explanation(cause), options.width, out)?;
    }
    Ok(())
}

pub(super) fn write_own_memory(
    report: &Report,
    options: &Options,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let own = &report.snapshot().own_memory;
    let tables = [
        ("threads", own.threads),
        ("call stacks", own.stacks),
        ("sites", own.sites),
        ("live samples", own.live_blocks),
    ];
    heading("unkai's own memory", options.width, out)?;
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

/// What happened, and what it means for the numbers.
fn explanation(cause: Cause) -> &'static str {
    match cause {
        Cause::StackTruncated => {
            "stacks deeper than the profiler keeps: their outer frames are missing. Bytes are right; the call tree starts \
             them at \"(outer frames missing)\". More frames can be kept by configuration."
        }
        Cause::StackMissing => {
            "samples whose stack could not be taken: their bytes are right, in the site \"(stack could not be taken)\"."
        }
        Cause::StacksFull => {
            "samples while the table of stacks was full: they went to the callers that were already known, marked \"… \
             (stack table full)\"."
        }
        Cause::SitesFull => {
            "samples while the table of sites was full: they are in the site \"(other: the table of sites is full)\"."
        }
        Cause::LiveTableFull => {
            "samples dropped because the table of live blocks was full: sites are too small by as much."
        }
        Cause::ThreadNotSampled => {
            "allocations on threads that were ending, or beyond the configured number of threads: in the totals, but \
             in no site."
        }
        Cause::SampleRefused => {
            "samples dropped because the allocator refused the slightly larger block: in the totals, but in no site."
        }
        Cause::OwnMemoryRefused => {
            "samples dropped because the system gave unkai no memory: in the totals, but in no site."
        }
        Cause::Reentered => {
            "allocations by unkai's own code while it took a sample: in no number of this report."
        }
        Cause::LayoutMismatch => {
            "sampled blocks freed with another layout than they were allocated with: a bug in the program or in a crate \
             that it uses. unkai used the right layout."
        }
        Cause::FreeMissed => {
            "sampled blocks whose free was not seen before their address was allocated again: their lifetimes are too \
             long."
        }
        _ => "events of a kind that this report has no words for.",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_cause_of_loss_has_words_of_its_own() {
        let texts: HashSet<&str> = Cause::ALL.into_iter().map(explanation).collect();
        assert_eq!(texts.len(), Cause::ALL.len());
        assert!(!texts.contains("events of a kind that this report has no words for."));
    }
}

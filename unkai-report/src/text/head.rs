//! What comes before the sites: title, warnings and exact totals.

use std::io;

use super::Options;
use super::layout::{heading, painted_paragraph};
use super::paint::Ink;
use crate::report::Report;
use crate::units::{bytes, count, digits, duration, growth, moment, signed_digits};
use crate::words::{self, warnings::warnings};

/// The title, and what a reader must know before the numbers.
pub(super) fn write(
    report: &Report,
    options: &Options<'_>,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    write_title(report, out)?;
    write_warnings(report, options, out)
}

fn write_title(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    let snapshot = report.snapshot();
    let kind = match snapshot.window {
        Some(window) => format!("unkai heap report: change over {}", duration(window)),
        None => "unkai heap report".to_owned(),
    };
    let (taken_at, uptime) = (moment(snapshot.taken_at), duration(snapshot.uptime));
    writeln!(
        out,
        "{kind}\n  taken {taken_at}, {uptime} after the first allocation"
    )
}

/// What a reader must know before the numbers; nothing at all if there is nothing to say.
fn write_warnings(
    report: &Report,
    options: &Options<'_>,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let warnings = warnings(report);
    if warnings.is_empty() {
        return Ok(());
    }
    heading("Before you trust the numbers", options, out)?;
    for warning in warnings {
        let lead = "  ! ";
        let painted = options.paint.ink(Ink::Warning, lead);
        painted_paragraph(lead, painted, &warning, options.width, out)?;
    }
    Ok(())
}

pub(super) fn write_totals(
    report: &Report,
    options: &Options<'_>,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let snapshot = report.snapshot();
    let totals = &snapshot.totals;
    let difference = snapshot.window.is_some();
    let title = if difference {
        "Totals of the window (exact)"
    } else {
        "Totals (exact)"
    };
    heading(title, options, out)?;
    let (live_bytes, live_blocks) = (totals.live_bytes(), totals.live_blocks());
    let live_name = if difference { "live, change" } else { "live" };
    let human = if difference {
        growth(live_bytes as f64)
    } else {
        bytes(live_bytes as f64)
    };
    for (name, human, blocks, exact_bytes, exact_blocks) in [
        (
            "allocated",
            bytes(totals.allocated.bytes as f64),
            count(totals.allocated.blocks as f64),
            digits(totals.allocated.bytes),
            digits(totals.allocated.blocks),
        ),
        (
            "freed",
            bytes(totals.freed.bytes as f64),
            count(totals.freed.blocks as f64),
            digits(totals.freed.bytes),
            digits(totals.freed.blocks),
        ),
        (
            live_name,
            human,
            count(live_blocks as f64),
            signed_digits(live_bytes),
            signed_digits(live_blocks),
        ),
    ] {
        let exact = format!("({exact_bytes} B in {exact_blocks})");
        writeln!(
            out,
            "  {name:<12}{human:>12} in {blocks:>8} blocks   {exact}"
        )?;
    }
    let peak = totals.peak_live_bytes;
    let bound = match totals.peak_error_bytes {
        0 => "exact".to_owned(),
        error => format!("± {} at most", bytes(error as f64)),
    };
    let since = if difference { ", since the start" } else { "" };
    let (human, exact) = (bytes(peak as f64), digits(peak));
    writeln!(
        out,
        "  {:<12}{human:>12} {bound:<18}   ({exact} B{since})",
        "peak live"
    )?;
    if let Some(resident) = snapshot.resident_bytes {
        let (human, exact) = (bytes(resident as f64), digits(resident));
        writeln!(
            out,
            "  {:<12}{human:>12} {:<18}   ({exact} B of RAM)",
            "resident", "whole process"
        )?;
    }
    if let Some(limit) = snapshot.limit {
        let (human, exact) = (bytes(limit.limit_bytes as f64), digits(limit.limit_bytes));
        let state = words::limit::state(&limit);
        writeln!(
            out,
            "  {:<12}{human:>12} {state:<18}   ({exact} B)",
            "limit"
        )?;
    }
    for refusal in words::limit::refusals(snapshot) {
        writeln!(out, "  {refusal}")?;
    }
    Ok(())
}

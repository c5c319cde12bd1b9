//! How the samples were taken, in words.

use std::io;

use super::Options;
use super::layout::{heading, paragraph};
use crate::report::Report;
use crate::words::{naming, sampling};

pub(super) fn write(
    report: &Report,
    options: &Options<'_>,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    heading("Sampling", options, out)?;
    paragraph(
        "  ",
        &sampling::blocks(report.snapshot()),
        options.width,
        out,
    )?;
    paragraph(
        "  ",
        &sampling::stacks(report.snapshot()),
        options.width,
        out,
    )?;
    match naming::cost(report) {
        Some(cost) => paragraph("  ", &cost, options.width, out),
        None => Ok(()),
    }
}

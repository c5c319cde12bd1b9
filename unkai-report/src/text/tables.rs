//! The sites with the most live, allocated and peak bytes.

use std::io;

use unkai_core::Estimate;

use super::Options;
use super::layout::{error, fit, fit_place, heading};
use crate::report::Report;
use crate::sites::{SiteGroup, SiteLabel, add};
use crate::units::{bytes, count, growth, plural, share, signed_digits};

/// One ranking of the sites.
struct Table {
    title: &'static str,
    of: fn(&SiteGroup) -> &Estimate,
    /// The exact value that the sites' estimates together should meet, in words.
    exact: String,
    /// Whether values are signed changes.
    is_change: bool,
    is_peak: bool,
}

pub(super) fn write(
    report: &Report,
    groups: &[SiteGroup],
    options: &Options,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let snapshot = report.snapshot();
    let totals = &snapshot.totals;
    let is_change = snapshot.window.is_some();
    let live = totals.live_bytes() as f64;
    let tables = [
        Table {
            title: if is_change {
                "Top sites by growth of live bytes"
            } else {
                "Top sites by live bytes"
            },
            of: |group| &group.live,
            exact: if is_change { growth(live) } else { bytes(live) },
            is_change,
            is_peak: false,
        },
        Table {
            title: "Top sites by allocated bytes",
            of: |group| &group.allocated,
            exact: bytes(totals.allocated.bytes as f64),
            is_change: false,
            is_peak: false,
        },
        Table {
            title: "Top sites by bytes live at the peak",
            of: |group| &group.at_peak,
            exact: bytes(totals.peak_live_bytes as f64),
            is_change: false,
            is_peak: true,
        },
    ];
    for table in tables {
        // What was live at the peak did not change within a window.
        if !(is_change && table.is_peak) {
            table.write(groups, options, out)?;
        }
    }
    Ok(())
}

impl Table {
    fn write(
        &self,
        groups: &[SiteGroup],
        options: &Options,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        let of = self.of;
        let mut ranked: Vec<&SiteGroup> = groups
            .iter()
            .filter(|group| of(group).bytes != 0.0 || of(group).samples != 0)
            .collect();
        if ranked.is_empty() {
            return Ok(());
        }
        ranked.sort_by(|a, b| {
            let by_size = of(b).bytes.abs().total_cmp(&of(a).bytes.abs());
            by_size.then_with(|| a.label.cmp(&b.label))
        });
        let mut sum = Estimate::default();
        ranked.iter().for_each(|group| add(&mut sum, of(group)));
        let whole: f64 = ranked.iter().map(|group| of(group).bytes.max(0.0)).sum();

        heading(self.title, options.width, out)?;
        let (all, error) = (self.bytes(sum.bytes), error(&sum));
        let sites = plural(ranked.len() as u64, "site");
        writeln!(
            out,
            "  {sites}, together {all} ({error}); the exact value is {}\n",
            self.exact
        )?;
        writeln!(
            out,
            "{:>10} {:>12} {:>8} {:>8} {:>8}  site",
            "bytes", "± 95 %", "share", "blocks", "samples"
        )?;
        let (shown, rest) = ranked.split_at(ranked.len().min(options.top_sites));
        for group in shown {
            self.write_row(of(group), whole, out)?;
            write_label(&group.label, group.members.len(), options.width, out)?;
        }
        if !rest.is_empty() {
            let mut sum = Estimate::default();
            rest.iter().for_each(|group| add(&mut sum, of(group)));
            self.write_row(&sum, whole, out)?;
            writeln!(out, "({} more)", plural(rest.len() as u64, "site"))?;
        }
        Ok(())
    }

    fn write_row(
        &self,
        estimate: &Estimate,
        whole: f64,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        let (bytes, error) = (self.bytes(estimate.bytes), error(estimate));
        let (blocks, samples) = (count(estimate.blocks), signed_digits(estimate.samples));
        let share = if estimate.bytes > 0.0 {
            share(estimate.bytes, whole)
        } else {
            String::new()
        };
        write!(
            out,
            "{bytes:>10} {error:>12} {share:>8} {blocks:>8} {samples:>8}  "
        )
    }

    fn bytes(&self, value: f64) -> String {
        if self.is_change {
            growth(value)
        } else {
            bytes(value)
        }
    }
}

/// The name of a site behind its numbers, and on a line of its own where it is.
fn write_label(
    label: &SiteLabel,
    stacks: usize,
    width: usize,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let room = width.saturating_sub(NUMBERS_WIDTH);
    let via = label
        .via
        .as_ref()
        .map(|via| format!("(via {via})"))
        .unwrap_or_default();
    let fits = label.name.chars().count() + 2 + via.chars().count() <= room;
    if fits && !via.is_empty() {
        writeln!(out, "{}  {via}", label.name)?;
    } else {
        writeln!(out, "{}", fit(&label.name, room))?;
    }
    let mut details = Vec::new();
    if !fits && !via.is_empty() {
        details.push(fit(&via, room));
    }
    if let Some(place) = &label.place {
        details.push(fit_place(place, room));
    }
    if stacks > 1 {
        details.push(plural(stacks as u64, "call stack"));
    }
    let indent = " ".repeat(NUMBERS_WIDTH);
    let mut line = String::new();
    for detail in details {
        if !line.is_empty() && line.chars().count() + 2 + detail.chars().count() > room {
            writeln!(out, "{indent}{line}")?;
            line.clear();
        }
        if !line.is_empty() {
            line.push_str("  ");
        }
        line.push_str(&detail);
    }
    if !line.is_empty() {
        writeln!(out, "{indent}{line}")?;
    }
    Ok(())
}

/// Columns in front of a site's name.
const NUMBERS_WIDTH: usize = 52;

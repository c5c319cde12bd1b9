//! The sites with the most live, allocated and peak bytes, or with the most of any one value.

use std::io;

use unkai_core::Estimate;

use super::Options;
use super::layout::{self, fit, fit_place, heading};
use super::paint::Ink;
use crate::report::Report;
use crate::sites::{SiteGroup, SiteLabel, add};
use crate::units::{bytes, count, growth, plural, share, signed_digits};
use crate::value::Value;

/// One ranking of the sites.
struct Table {
    value: Value,
    /// Whether values are signed changes.
    is_change: bool,
    /// The exact value that the sites' estimates together should meet, in words, where there is one.
    exact: Option<String>,
}

pub(super) fn write(
    report: &Report,
    groups: &[SiteGroup],
    options: &Options<'_>,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let is_change = report.snapshot().window.is_some();
    for value in [Value::LiveBytes, Value::AllocatedBytes, Value::PeakBytes] {
        // What was live at the peak did not change within a window.
        if !(is_change && value == Value::PeakBytes) {
            Table::new(report, value).write(groups, options, out)?;
        }
    }
    Ok(())
}

/// The sites with the most of `value` alone; says so if there is none.
pub(super) fn write_one(
    report: &Report,
    groups: &[SiteGroup],
    value: Value,
    options: &Options<'_>,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let table = Table::new(report, value);
    if groups.iter().any(|group| table.has(group)) {
        table.write(groups, options, out)
    } else {
        heading(&table.title(), options, out)?;
        writeln!(out, "  No site has any.")
    }
}

impl Table {
    fn new(report: &Report, value: Value) -> Self {
        let snapshot = report.snapshot();
        let is_change = snapshot.window.is_some() && value.is_level();
        let exact = value.exact_total(&snapshot.totals);
        Self {
            value,
            is_change,
            exact: exact.map(|exact| shown(exact, value.is_bytes(), is_change)),
        }
    }

    fn title(&self) -> String {
        let of = if self.is_change { "growth of " } else { "" };
        match self.value {
            Value::PeakBytes => "Top sites by bytes live at the peak".to_owned(),
            Value::PeakBlocks => "Top sites by blocks live at the peak".to_owned(),
            value => format!("Top sites by {of}{}", value.name()),
        }
    }

    fn of<'g>(&self, group: &'g SiteGroup) -> &'g Estimate {
        self.value
            .among(&group.live, &group.allocated, &group.at_peak)
    }

    fn has(&self, group: &SiteGroup) -> bool {
        let estimate = self.of(group);
        self.main(estimate) != 0.0 || estimate.samples != 0
    }

    /// The number that the table is about.
    fn main(&self, estimate: &Estimate) -> f64 {
        self.value.number(estimate)
    }

    fn write(
        &self,
        groups: &[SiteGroup],
        options: &Options<'_>,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        let main = |group: &SiteGroup| self.main(self.of(group));
        let mut ranked: Vec<&SiteGroup> = groups.iter().filter(|group| self.has(group)).collect();
        if ranked.is_empty() {
            return Ok(());
        }
        ranked.sort_by(|a, b| {
            let by_size = main(b).abs().total_cmp(&main(a).abs());
            by_size.then_with(|| a.label.cmp(&b.label))
        });
        let mut sum = Estimate::default();
        ranked
            .iter()
            .for_each(|group| add(&mut sum, self.of(group)));
        let whole: f64 = ranked.iter().map(|group| main(group).max(0.0)).sum();

        heading(&self.title(), options, out)?;
        let is_bytes = self.value.is_bytes();
        let all = shown(self.main(&sum), is_bytes, self.is_change);
        let error = error(&sum, is_bytes);
        let sites = plural(ranked.len() as u64, "site");
        let exact = match &self.exact {
            Some(exact) => format!("; the exact value is {exact}"),
            None => String::new(),
        };
        writeln!(out, "  {sites}, together {all} ({error}){exact}\n")?;
        let names = if is_bytes {
            ["bytes", "blocks"]
        } else {
            ["blocks", "bytes"]
        };
        let part = if self.is_change { "change" } else { "share" };
        self.write_cells(
            [names[0], "± 95 %", part, names[1], "samples"],
            None,
            options,
            out,
        )?;
        writeln!(out, "site")?;
        let (top, rest) = ranked.split_at(ranked.len().min(options.top_sites));
        for group in top {
            self.write_row(self.of(group), whole, options, out)?;
            write_label(&group.label, group.members.len(), options, out)?;
        }
        if !rest.is_empty() {
            let mut sum = Estimate::default();
            rest.iter().for_each(|group| add(&mut sum, self.of(group)));
            self.write_row(&sum, whole, options, out)?;
            writeln!(out, "({} more)", plural(rest.len() as u64, "site"))?;
        }
        Ok(())
    }

    fn write_row(
        &self,
        estimate: &Estimate,
        whole: f64,
        options: &Options<'_>,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        let is_bytes = self.value.is_bytes();
        let main = self.main(estimate);
        let other = if is_bytes {
            count(estimate.blocks)
        } else {
            bytes(estimate.bytes)
        };
        let part = match self.verdict(estimate) {
            Some(verdict) => verdict.to_owned(),
            None if main > 0.0 => share(main, whole),
            None => String::new(),
        };
        let bar_of = (!self.is_change).then_some(main / whole);
        let (main, error) = (
            shown(main, is_bytes, self.is_change),
            error(estimate, is_bytes),
        );
        let samples = signed_digits(estimate.samples);
        self.write_cells(
            [&main, &error, &part, &other, &samples],
            bar_of,
            options,
            out,
        )
    }

    /// For a change, whether it is one, or may be the noise of sampling.
    fn verdict(&self, estimate: &Estimate) -> Option<&'static str> {
        let error = self.value.error_95(estimate);
        let change = self.main(estimate);
        let verdict = match change {
            _ if change.abs() <= error => UNSURE,
            _ if change > 0.0 => GREW,
            _ => SHRANK,
        };
        self.is_change.then_some(verdict)
    }

    /// The columns in front of a site's name; the bar is for a part of 1.
    fn write_cells(
        &self,
        cells: [&str; 5],
        bar_of: Option<f64>,
        options: &Options<'_>,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        let [main, error, part, other, samples] = cells;
        let main = format!("{main:>10}");
        let main = match part {
            GREW => options.paint.ink(Ink::Grew, &main),
            SHRANK => options.paint.ink(Ink::Shrank, &main),
            _ => main.as_str().into(),
        };
        let bar = layout::bar_column(bar_of.unwrap_or_default(), options);
        // Bytes that are not the main number have no column of their own width: `-1.60 MiB`.
        let other_width = if self.value.is_bytes() { 8 } else { 9 };
        let samples_width = 16 - other_width;
        write!(
            out,
            "{main} {error:>12} {part:>8}{bar} {other:>other_width$} {samples:>samples_width$}  "
        )
    }
}

/// `12.3 MiB`, `1.5 M`; a change with its sign.
fn shown(value: f64, is_bytes: bool, is_change: bool) -> String {
    match (is_bytes, is_change) {
        (true, true) => growth(value),
        (true, false) => bytes(value),
        (false, true) if value >= 0.5 => format!("+{}", count(value)),
        (false, _) => count(value),
    }
}

/// Half the width of the 95 % interval: `± 1.20 MiB`, or `exact`.
fn error(estimate: &Estimate, is_bytes: bool) -> String {
    if is_bytes {
        return layout::error(estimate);
    }
    match estimate.blocks_error_95() {
        0.0 => "exact".to_owned(),
        error => format!("± {}", count(error)),
    }
}

/// The name of a site behind its numbers, and on a line of its own where it is.
fn write_label(
    label: &SiteLabel,
    stacks: usize,
    options: &Options<'_>,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let numbers = NUMBERS_WIDTH + layout::bar_column(0.0, options).len();
    let room = options.width.saturating_sub(numbers);
    let via = label
        .via
        .as_ref()
        .map(|via| format!("(via {via})"))
        .unwrap_or_default();
    let fits = label.name.chars().count() + 2 + via.chars().count() <= room;
    if fits && !via.is_empty() {
        let name = options.paint.ink(Ink::Strong, &label.name);
        writeln!(out, "{name}  {via}")?;
    } else {
        let name = fit(&label.name, room);
        writeln!(out, "{}", options.paint.ink(Ink::Strong, &name))?;
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
    let indent = " ".repeat(numbers);
    let faint = |line: &str| options.paint.ink(Ink::Faint, line).into_owned();
    let mut line = String::new();
    for detail in details {
        if !line.is_empty() && line.chars().count() + 2 + detail.chars().count() > room {
            writeln!(out, "{indent}{}", faint(&line))?;
            line.clear();
        }
        if !line.is_empty() {
            line.push_str("  ");
        }
        line.push_str(&detail);
    }
    if !line.is_empty() {
        writeln!(out, "{indent}{}", faint(&line))?;
    }
    Ok(())
}

/// A change beyond its 95 % interval.
const GREW: &str = "grew";
/// A change beyond its 95 % interval.
const SHRANK: &str = "shrank";
/// A change within its 95 % interval: it may be none.
const UNSURE: &str = "unsure";

/// Columns in front of a site's name, without the bar.
const NUMBERS_WIDTH: usize = 52;

//! How long blocks lived, and how old the live ones are.

use std::io;
use std::time::Duration;

use unkai_core::{DURATION_BUCKETS, DurationHistogram};

use super::Options;
use super::layout::{bar, fit, heading};
use super::paint::Ink;
use crate::sites::{SiteGroup, add_durations};
use crate::units::{count, duration, share};

pub(super) fn write(
    groups: &[SiteGroup],
    options: &Options<'_>,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let mut lifetimes = DurationHistogram::default();
    let mut ages = DurationHistogram::default();
    for group in groups {
        add_durations(&mut lifetimes, &group.lifetimes);
        add_durations(&mut ages, &group.ages);
    }
    if !has_blocks(&lifetimes) && !has_blocks(&ages) {
        return Ok(());
    }
    heading(
        "Lifetimes of freed blocks, ages of live blocks (estimated)",
        options,
        out,
    )?;
    write_bars(&lifetimes, &ages, options, out)?;
    write_sites(groups, options, out)
}

/// Both histograms side by side, three buckets to a row.
fn write_bars(
    lifetimes: &DurationHistogram,
    ages: &DurationHistogram,
    options: &Options<'_>,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let (freed, live) = (rows(lifetimes), rows(ages));
    let filled = |row: &usize| freed[*row] != 0.0 || live[*row] != 0.0;
    let Some(first) = (0..ROWS).find(filled) else {
        return Ok(());
    };
    let last = (0..ROWS).rev().find(filled).unwrap_or(first);
    let column = (options.width - LABEL_WIDTH) / 2;
    let bar_width = column - SHARE_WIDTH - 3;
    let (freed_sum, live_sum) = (lifetimes.total(), ages.total());
    let head = |name: &str, sum: f64| format!("{name}: {}", count(sum));
    let freed_head = head("freed, by lifetime", freed_sum);
    let live_head = head("live, by age", live_sum);
    writeln!(out, "{:LABEL_WIDTH$}{freed_head:<column$}{live_head}", "")?;
    for row in first..=last {
        let label = label(row);
        let cell = |value: f64, all: &[f64; ROWS], sum: f64| {
            let largest = all.iter().copied().fold(0.0, f64::max);
            let share = if value > 0.0 {
                share(value, sum)
            } else {
                String::new()
            };
            let bar = bar(value / largest, bar_width);
            let padding = " ".repeat(bar_width - bar.chars().count());
            let bar = options.paint.ink(Ink::Bar, &bar);
            format!("{share:>SHARE_WIDTH$} {bar}{padding}")
        };
        let freed = cell(freed[row], &freed, freed_sum);
        let live = cell(live[row], &live, live_sum);
        let line = format!("{label:>width$}  {freed}  {live}", width = LABEL_WIDTH - 2);
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Median and ninth decile for the sites with the most allocated bytes.
fn write_sites(
    groups: &[SiteGroup],
    options: &Options<'_>,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let mut ranked: Vec<&SiteGroup> = groups
        .iter()
        .filter(|group| has_blocks(&group.lifetimes) || has_blocks(&group.ages))
        .collect();
    ranked.sort_by(|a, b| {
        let by_size = b.allocated.bytes.total_cmp(&a.allocated.bytes);
        by_size.then_with(|| a.label.cmp(&b.label))
    });
    writeln!(
        out,
        "\n{:>8} {:>19}  {:>8} {:>19}  most allocated first",
        "freed", "of them, lived", "live", "of them, aged"
    )?;
    writeln!(
        out,
        "{:>8} {:>9} {:>9}  {:>8} {:>9} {:>9}  site",
        "blocks", "half", "90 %", "blocks", "half", "90 %"
    )?;
    for group in ranked.iter().take(options.top_sites) {
        let blocks = |histogram: &DurationHistogram| match histogram.total() {
            total if total > 0.0 => count(total),
            _ => "-".to_owned(),
        };
        let site = &group.label;
        let room = options.width.saturating_sub(NUMBERS_WIDTH);
        let via = site
            .via
            .as_ref()
            .map(|via| format!("  (via {via})"))
            .unwrap_or_default();
        let left = room.saturating_sub(via.chars().count());
        let (via, left) = if left >= MIN_NAME_WIDTH {
            (via, left)
        } else {
            (String::new(), room)
        };
        writeln!(
            out,
            "{:>8} {:>9} {:>9}  {:>8} {:>9} {:>9}  {}{}",
            blocks(&group.lifetimes),
            below(&group.lifetimes, 0.5),
            below(&group.lifetimes, 0.9),
            blocks(&group.ages),
            below(&group.ages, 0.5),
            below(&group.ages, 0.9),
            fit(&site.name, left),
            via
        )?;
    }
    Ok(())
}

fn has_blocks(histogram: &DurationHistogram) -> bool {
    histogram.total() > 0.0
}

/// The duration that a share of the blocks stays below, within a factor of two.
fn below(histogram: &DurationHistogram, quantile: f64) -> String {
    match histogram.quantile(quantile) {
        None => "-".to_owned(),
        // The last bucket has no upper end.
        Some(end) if end == DurationHistogram::lower_bound(DURATION_BUCKETS) => {
            format!(
                "> {}",
                short(DurationHistogram::lower_bound(DURATION_BUCKETS - 1))
            )
        }
        Some(end) => format!("< {}", short(end)),
    }
}

/// The blocks of three buckets each. Bucket 0, of zero nanoseconds, joins the first row.
fn rows(histogram: &DurationHistogram) -> [f64; ROWS] {
    let mut rows = [0.0; ROWS];
    for (bucket, blocks) in histogram.buckets.iter().enumerate() {
        rows[bucket.saturating_sub(1) / BUCKETS_PER_ROW] += blocks;
    }
    rows
}

fn label(row: usize) -> String {
    if row + 1 == ROWS {
        let start = DurationHistogram::lower_bound(row * BUCKETS_PER_ROW + 1);
        return format!("> {}", short(start));
    }
    format!(
        "< {}",
        short(DurationHistogram::lower_bound(
            (row + 1) * BUCKETS_PER_ROW + 1
        ))
    )
}

/// One unit, few digits: the bounds are powers of two, which nobody wants to read in full.
fn short(bound: Duration) -> String {
    let seconds = bound.as_secs_f64();
    match bound.as_secs() {
        0..60 => duration(bound),
        60..3600 => format!("{:.1} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

const BUCKETS_PER_ROW: usize = 3;
const ROWS: usize = (DURATION_BUCKETS - 1).div_ceil(BUCKETS_PER_ROW);
const LABEL_WIDTH: usize = 14;
const SHARE_WIDTH: usize = 7;
/// Where a name would get fewer columns, the function that it calls is left out.
const MIN_NAME_WIDTH: usize = 16;
/// Columns in front of a site's name.
const NUMBERS_WIDTH: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bucket_has_a_row_and_rows_are_eight_times_as_long_as_the_one_before() {
        for bucket in 0..DURATION_BUCKETS {
            let mut histogram = DurationHistogram::default();
            histogram.buckets[bucket] = 2.0;
            assert_eq!(rows(&histogram).iter().sum::<f64>(), 2.0, "{bucket}");
        }
        assert_eq!(label(0), "< 8 ns");
        assert_eq!(label(1), "< 64 ns");
        assert_eq!(label(ROWS - 2), "< 9.8 h");
        assert_eq!(label(ROWS - 1), "> 9.8 h");
    }

    #[test]
    fn quantiles_of_the_open_bucket_have_no_upper_end() {
        let mut histogram = DurationHistogram::default();
        assert_eq!(below(&histogram, 0.5), "-");
        histogram.buckets[10] = 1.0;
        assert_eq!(below(&histogram, 0.5), "< 1.02 µs");
        histogram.buckets[DURATION_BUCKETS - 1] = 9.0;
        assert_eq!(below(&histogram, 0.5), "> 19.5 h");
    }
}

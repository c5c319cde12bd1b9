//! Sites that look like leaks, with the reason in words.
//!
//! Memory that grows is no leak yet: caches fill, indexes are built. What makes a suspect is growth that goes on, and that
//! is not the noise of sampling:
//!
//! * With earlier snapshots: the live bytes of the site grew by more than three standard errors from the first to the last,
//!   and rose in three of four steps between. By chance alone, one site in 700 does.
//! * With one snapshot: it has freed one block in ten or fewer, and allocates all the time: some of what it holds came in
//!   the first half of the run, and some in the second. Data that a program loads when it starts does not look like that.
//!
//! ```
//! use std::time::SystemTime;
//! use unkai_core::Snapshot;
//! use unkai_report::{Report, leaks};
//!
//! // `let earlier = vec![HEAP.snapshot(), …]`, taken a minute or so apart.
//! let earlier = [Snapshot::empty(SystemTime::now())];
//! let report = Report::new(Snapshot::empty(SystemTime::now()));
//! for suspect in leaks::suspects(&report, &earlier) {
//!     println!("{}: {}", suspect.name, suspect.reason);
//! }
//! println!("{}", leaks::basis(&report, &earlier));
//! ```

use std::time::Duration;

use foldhash::HashMap;
use unkai_core::{DurationHistogram, Estimate, Snapshot, aside};

use crate::report::Report;
use crate::sites::{self, SiteGroup, add};
use crate::units::{bytes, count, duration, plural, share};

/// A site whose live blocks are old, or whose live bytes grow steadily.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Suspect {
    /// The function of the program that allocates, as in the tables of sites.
    pub name: String,
    /// The function of the standard library that it calls for that.
    pub via: Option<String>,
    /// `file:line` of that call.
    pub place: Option<String>,
    /// Numbers of the sites (call stacks) that end there.
    pub site_ids: Vec<u32>,
    /// What is live.
    pub live: Estimate,
    /// An age that half of the live blocks have passed, by less than a factor of two; `None` without a live block.
    pub median_age: Option<Duration>,
    /// How it grew; `None` without earlier snapshots.
    pub growth: Option<Growth>,
    /// Why it is suspected, in one or two sentences.
    pub reason: String,
}

/// How the live bytes of a site changed over several snapshots.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Growth {
    /// From the first snapshot to the last, in bytes.
    pub bytes: f64,
    /// Half the width of the 95 % confidence interval of `bytes`.
    pub error_95: f64,
    /// Bytes per second over that time.
    pub bytes_per_second: f64,
    /// How many steps from one snapshot to the next rose.
    pub rises: usize,
    /// How many steps there are.
    pub steps: usize,
}

/// The sites of `report` that look like leaks, the most suspicious first: by the bytes that they surely grew by, or hold.
///
/// `earlier` are snapshots of the same process from before, in any order; those that are not older are left out. A
/// difference of two snapshots has no suspects.
///
/// Takes time in proportion to the sites of all snapshots.
pub fn suspects(report: &Report, earlier: &[Snapshot]) -> Vec<Suspect> {
    aside(|| among(&sites::groups(report), report, earlier))
}

/// The suspects among `groups`, which are all of `report`.
pub(crate) fn among(groups: &[SiteGroup], report: &Report, earlier: &[Snapshot]) -> Vec<Suspect> {
    match History::of(report, earlier) {
        _ if report.snapshot().window.is_some() => Vec::new(),
        Some(history) => growing(groups, report, &history),
        None => accumulating(groups, report),
    }
}

/// What [`suspects`] goes by with these snapshots, in a sentence or two. To be shown beside them, most of all if there are none.
pub fn basis(report: &Report, earlier: &[Snapshot]) -> String {
    let uptime = report.snapshot().uptime;
    if report.snapshot().window.is_some() {
        return "Suspects are found in whole snapshots, not in a difference.".to_owned();
    }
    match History::of(report, earlier) {
        Some(history) => format!(
            "Judged by the growth over {}, taken within {}: more than three standard errors, and in three of four steps.",
            plural(history.snapshots.len() as u64 + 1, "snapshot"),
            duration(history.span)
        ),
        None if uptime < SHORT_RUN => format!(
            "The program has run for {} only: whatever it holds may be its start. Several snapshots tell more.",
            duration(uptime)
        ),
        None => "Judged by one snapshot: sites that free next to nothing and allocate all the time. Several snapshots \
                 tell more."
            .to_owned(),
    }
}

/// Earlier snapshots of the process, oldest first.
struct History<'a> {
    snapshots: Vec<&'a Snapshot>,
    /// From the oldest to the report.
    span: Duration,
}

impl<'a> History<'a> {
    fn of(report: &Report, earlier: &'a [Snapshot]) -> Option<Self> {
        let now = report.snapshot().uptime;
        let mut snapshots: Vec<&Snapshot> = earlier
            .iter()
            .filter(|snapshot| snapshot.uptime < now && snapshot.window.is_none())
            .collect();
        snapshots.sort_by_key(|snapshot| snapshot.uptime);
        let span = now - snapshots.first()?.uptime;
        Some(Self { snapshots, span })
    }
}

/// The part of all blocks of a site that were freed.
fn freed_share(group: &SiteGroup) -> f64 {
    let freed = group.lifetimes.total().max(0.0);
    freed / (freed + group.live.blocks.max(0.0))
}

fn suspect(report: &Report, group: &SiteGroup, growth: Option<Growth>, reason: String) -> Suspect {
    let mut site_ids: Vec<u32> = site_ids(report, group).collect();
    site_ids.sort_unstable();
    Suspect {
        name: group.label.name.clone(),
        via: group.label.via.clone(),
        place: group.label.place.clone(),
        site_ids,
        live: group.live,
        // The quantile is the upper end of a bucket, which is twice the lower one.
        median_age: group.ages.quantile(0.5).map(|age| age / 2),
        growth,
        reason,
    }
}

fn site_ids(report: &Report, group: &SiteGroup) -> impl Iterator<Item = u32> {
    let sites = &report.snapshot().sites;
    group.members.iter().map(|&member| sites[member].id)
}

/// Suspects by their growth.
fn growing(groups: &[SiteGroup], report: &Report, history: &History<'_>) -> Vec<Suspect> {
    let mut steps: Vec<HashMap<u32, Estimate>> = Vec::new();
    let followers = history.snapshots.iter().skip(1).copied();
    for (before, after) in history
        .snapshots
        .iter()
        .zip(followers.chain([report.snapshot()]))
    {
        steps.push(changes(before, after));
    }
    let whole = changes(history.snapshots[0], report.snapshot());
    let mut suspects = Vec::new();
    for group in groups {
        let change = |of: &HashMap<u32, Estimate>| {
            let mut sum = Estimate::default();
            let parts = site_ids(report, group).filter_map(|site| of.get(&site));
            parts.for_each(|part| add(&mut sum, part));
            sum
        };
        let total = change(&whole);
        let rises = steps.iter().filter(|step| change(step).bytes > 0.0);
        let growth = Growth {
            bytes: total.bytes,
            error_95: total.bytes_error_95(),
            bytes_per_second: total.bytes / history.span.as_secs_f64(),
            rises: rises.count(),
            steps: steps.len(),
        };
        if growth.is_sure(total.bytes_variance) && growth.is_steady() {
            let reason = growth.reason(group, history.span);
            suspects.push(suspect(report, group, Some(growth), reason));
        }
    }
    rank(&mut suspects, |suspect| {
        let growth = suspect.growth.map(|growth| growth.bytes - growth.error_95);
        growth.unwrap_or_default()
    });
    suspects
}

/// How the live bytes of each site changed.
fn changes(before: &Snapshot, after: &Snapshot) -> HashMap<u32, Estimate> {
    let sites = after.since(before).sites.into_iter();
    sites.map(|site| (site.id, site.live)).collect()
}

impl Growth {
    fn is_sure(&self, variance: f64) -> bool {
        self.bytes > SURE_STANDARD_ERRORS * variance.max(0.0).sqrt()
    }

    fn is_steady(&self) -> bool {
        self.rises * 4 >= self.steps * 3
    }

    fn reason(&self, group: &SiteGroup, span: Duration) -> String {
        let error = match self.error_95 {
            0.0 => String::new(),
            error => format!(" (± {})", bytes(error)),
        };
        let steps = match (self.steps, self.steps - self.rises) {
            (1, _) => String::new(),
            (steps, 0) => format!(", in each of {} steps", count(steps as f64)),
            (steps, _) => format!(", in {} of {} steps", self.rises, count(steps as f64)),
        };
        let freed = match freed_share(group) {
            0.0 => " None of its blocks was ever freed.".to_owned(),
            part if part <= FEW_FREED => {
                format!(" Only {} of its blocks were ever freed.", share(part, 1.0))
            }
            _ => String::new(),
        };
        let (grown, span) = (bytes(self.bytes), duration(span));
        let pace = bytes(self.bytes_per_second);
        format!("Grew by {grown}{error} in {span}{steps}: {pace} a second.{freed}")
    }
}

/// Suspects by their ages.
fn accumulating(groups: &[SiteGroup], report: &Report) -> Vec<Suspect> {
    let snapshot = report.snapshot();
    let all: f64 = snapshot.sites.iter().map(|site| site.live.bytes).sum();
    let mut suspects = Vec::new();
    for group in groups {
        let recent = younger(&group.ages, snapshot.uptime / 2) / group.ages.total();
        let enough =
            group.live.samples >= FEWEST_SAMPLES && group.live.bytes >= all * SMALLEST_SHARE;
        let all_the_time = (TOUCHED_SHARE..=1.0 - TOUCHED_SHARE).contains(&recent);
        let freed = freed_share(group);
        if snapshot.uptime >= SHORT_RUN && enough && all_the_time && freed <= FEW_FREED {
            let freed = match freed {
                0.0 => "None of its blocks was ever freed".to_owned(),
                part => format!("Only {} of its blocks were ever freed", share(part, 1.0)),
            };
            let recent = share(recent, 1.0);
            let reason = format!(
                "{freed}, and it allocates all the time: {recent} of those that are live came in the second half of the \
                 run."
            );
            suspects.push(suspect(report, group, None, reason));
        }
    }
    rank(&mut suspects, |suspect| {
        suspect.live.bytes - suspect.live.bytes_error_95()
    });
    suspects
}

/// Blocks younger than `age`; those in its bucket are taken to be spread evenly.
fn younger(ages: &DurationHistogram, age: Duration) -> f64 {
    let age = age.as_nanos() as f64;
    let buckets = ages.buckets.iter().enumerate().map(|(index, blocks)| {
        let from = DurationHistogram::lower_bound(index).as_nanos() as f64;
        let to = DurationHistogram::lower_bound(index + 1).as_nanos() as f64;
        blocks * ((age - from) / (to - from)).clamp(0.0, 1.0)
    });
    buckets.sum()
}

fn rank(suspects: &mut [Suspect], by: impl Fn(&Suspect) -> f64) {
    suspects.sort_by(|a, b| {
        let by_size = by(b).total_cmp(&by(a));
        by_size.then_with(|| (&a.name, &a.via, &a.place).cmp(&(&b.name, &b.via, &b.place)))
    });
}

/// Growth beyond this many standard errors happens to one site in 700 that does not grow.
const SURE_STANDARD_ERRORS: f64 = 3.0;
/// Without a history, a run shorter than this says nothing: programs fill their tables when they start.
const SHORT_RUN: Duration = Duration::from_secs(10);
/// A site that frees more of its blocks than this gives back what it takes.
const FEW_FREED: f64 = 0.1;
/// Each half of the run must have brought at least this part of the live blocks.
const TOUCHED_SHARE: f64 = 0.1;
/// With fewer samples, an age says little.
const FEWEST_SAMPLES: i64 = 10;
/// Sites with less of the live bytes are not worth a look without a history.
const SMALLEST_SHARE: f64 = 0.01;

#[cfg(test)]
mod tests;

//! Sites as people count them: by the function that allocates.
//!
//! Call stacks that end in the same line of the same function, by the same call into the standard library, are one
//! entry of a table; who called that function is the business of the call tree.

use foldhash::HashMap;
use unkai_core::{DurationHistogram, Estimate, Site};

use crate::path::FunctionPath;
use crate::report::{INNER_MISSING, Report, stand_in};
use crate::trim::{caller, is_program, trim};

/// The name of a site.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SiteLabel {
    /// The innermost function of the program, or what stands for it.
    pub(crate) name: String,
    /// The function of the standard library that it called.
    pub(crate) via: Option<String>,
    /// `file:line` of that call.
    pub(crate) place: Option<String>,
}

/// All call stacks with the same [`SiteLabel`], summed.
#[derive(Clone, Debug, Default)]
pub(crate) struct SiteGroup {
    pub(crate) label: SiteLabel,
    /// Its call stacks: their places in the snapshot's list of sites.
    pub(crate) members: Vec<usize>,
    pub(crate) allocated: Estimate,
    pub(crate) live: Estimate,
    pub(crate) at_peak: Estimate,
    pub(crate) lifetimes: DurationHistogram,
    pub(crate) ages: DurationHistogram,
}

/// The sites of `report`, grouped; in no particular order.
pub(crate) fn groups(report: &Report) -> Vec<SiteGroup> {
    let mut groups: Vec<SiteGroup> = Vec::new();
    let mut by_label: HashMap<SiteLabel, usize> = HashMap::default();
    for (number, site) in report.snapshot().sites.iter().enumerate() {
        let label = label(report, site);
        let index = *by_label.entry(label).or_insert_with_key(|label| {
            groups.push(SiteGroup {
                label: label.clone(),
                ..SiteGroup::default()
            });
            groups.len() - 1
        });
        groups[index].add(number, site);
    }
    groups
}

/// The name of one site.
pub(crate) fn label(report: &Report, site: &Site) -> SiteLabel {
    let frames = report.call_stack(site);
    let kept = &frames[trim(&frames)];
    let Some((at, via)) = caller(kept) else {
        return SiteLabel {
            name: stand_in(site).to_owned(),
            ..SiteLabel::default()
        };
    };
    let mut name = kept[at].short_name().into_owned();
    if site.prefix_only {
        name = format!("{name} {INNER_MISSING}");
    }
    let via = via.filter(|&via| !is_program(&kept[via]));
    let via = via.map(|via| FunctionPath::parse(&kept[via].name()).brief());
    SiteLabel {
        name,
        via,
        place: kept[at].place(),
    }
}

impl SiteGroup {
    fn add(&mut self, number: usize, site: &Site) {
        self.members.push(number);
        add(&mut self.allocated, &site.allocated);
        add(&mut self.live, &site.live);
        add(&mut self.at_peak, &site.at_peak);
        add_durations(&mut self.lifetimes, &site.lifetimes);
        add_durations(&mut self.ages, &site.ages);
    }
}

/// Adds an independent estimate: variances add up.
pub(crate) fn add(sum: &mut Estimate, estimate: &Estimate) {
    sum.samples = sum.samples.saturating_add(estimate.samples);
    sum.bytes += estimate.bytes;
    sum.blocks += estimate.blocks;
    sum.bytes_variance += estimate.bytes_variance;
    sum.blocks_variance += estimate.blocks_variance;
}

/// Adds the blocks of each bucket.
pub(crate) fn add_durations(sum: &mut DurationHistogram, histogram: &DurationHistogram) {
    for (bucket, count) in sum.buckets.iter_mut().zip(&histogram.buckets) {
        *bucket += count;
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use unkai_core::Snapshot;

    use super::*;
    use crate::symbols::{SourceFunction, Symbols};

    fn report(stacks: &[&[u64]]) -> Report {
        let mut symbols = Symbols::new();
        for (address, name, line) in [
            (1, "alloc::vec::Vec<T,A>::push", 1),
            (2, "my_app::add", 12),
            (3, "my_app::main", 30),
            (4, "my_app::add", 13),
            (5, "my_app::other", 40),
        ] {
            let file = Some("src/main.rs".to_owned()).filter(|_| name.starts_with("my_app"));
            let function = SourceFunction {
                name: name.to_owned(),
                file,
                line: Some(line),
            };
            symbols.insert(address, &[function]);
        }
        let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
        for (id, stack) in stacks.iter().enumerate() {
            let mut site = Site::new(id as u32, stack.to_vec());
            site.live.bytes = 10.0;
            site.live.bytes_variance = 4.0;
            snapshot.sites.push(site);
        }
        Report::from_parts(snapshot, symbols)
    }

    #[test]
    fn stacks_that_end_in_the_same_line_are_one_entry_with_summed_variance() {
        let report = report(&[&[1, 2, 3], &[1, 2, 5], &[1, 4, 3]]);
        let mut groups = groups(&report);
        groups.sort_by(|a, b| a.label.cmp(&b.label));
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[0].members, [0, 1]);
        assert_eq!(groups[0].live.bytes, 20.0);
        assert_eq!(groups[0].live.bytes_variance, 8.0);
        assert_eq!(groups[0].label.name, "my_app::add");
        assert_eq!(groups[0].label.via.as_deref(), Some("Vec::push"));
        assert_eq!(groups[0].label.place.as_deref(), Some("src/main.rs:12"));
    }

    #[test]
    fn sites_without_frames_say_why() {
        let report = report(&[&[], &[]]);
        let mut names: Vec<String> = groups(&report)
            .into_iter()
            .map(|group| group.label.name)
            .collect();
        names.sort();
        assert_eq!(
            names,
            [
                "(other: the table of sites is full)",
                "(stack could not be taken)"
            ]
        );
    }

    #[test]
    fn a_known_prefix_is_marked_as_such() {
        let mut report = report(&[&[5, 3]]).into_parts();
        report.0.sites[0].prefix_only = true;
        let report = Report::from_parts(report.0, report.1);
        let label = label(&report, &report.snapshot().sites[0]);
        assert_eq!(label.name, "my_app::other … (stack table full)");
    }
}

//! The sites that get a series of their own.

use std::fmt;

use foldhash::HashMap;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Unit;
use unkai_core::{Estimate, Site};

use crate::metrics::{Metric, Number};
use crate::report::Report;
use crate::sites::{SiteGroup, add, groups};

/// The sites with the most live bytes and what all others hold, and the sites with the most allocated bytes.
#[derive(Debug, Default)]
pub(super) struct Top {
    live: Vec<SiteSums>,
    allocated: Vec<SiteSums>,
}

/// All call stacks with the same labels, summed.
#[derive(Clone, Debug, Default)]
struct SiteSums {
    labels: SiteLabels,
    live: Estimate,
    allocated: Estimate,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct SiteLabels {
    function: String,
    place: String,
}

impl Top {
    /// At most `count` sites by either value; none at all for 0. `unnamed` are among the others, whatever they hold.
    pub(super) fn of(report: &Report, unnamed: &[Site], count: usize) -> Self {
        if count == 0 {
            return Self::default();
        }
        let mut sums: HashMap<SiteLabels, SiteSums> = HashMap::default();
        for group in groups(report) {
            let labels = SiteLabels::of(&group);
            let sums = sums
                .entry(labels)
                .or_insert_with_key(|labels| SiteSums::new(labels.clone()));
            add(&mut sums.live, &group.live);
            add(&mut sums.allocated, &group.allocated);
        }
        // A function may have that very name.
        let mut others = sums.remove(&SiteLabels::others());
        let sums: Vec<SiteSums> = sums.into_values().collect();
        let by_live = largest_first(&sums, |sums| sums.live.bytes);
        let by_allocated = largest_first(&sums, |sums| sums.allocated.bytes);

        let (top, rest) = by_live.split_at(count.min(by_live.len()));
        let rest = rest.iter().map(|sums| &sums.live);
        for live in rest.chain(unnamed.iter().map(|site| &site.live)) {
            let others = others.get_or_insert_with(|| SiteSums::new(SiteLabels::others()));
            add(&mut others.live, live);
        }
        Self {
            live: top.iter().copied().cloned().chain(others).collect(),
            allocated: by_allocated.into_iter().take(count).cloned().collect(),
        }
    }

    pub(super) fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        for metric in LIVE {
            metric.encode_each(encoder, self.live.iter().map(SiteSums::labelled))?;
        }
        for metric in ALLOCATED {
            metric.encode_each(encoder, self.allocated.iter().map(SiteSums::labelled))?;
        }
        Ok(())
    }
}

impl SiteSums {
    fn new(labels: SiteLabels) -> Self {
        Self {
            labels,
            ..Self::default()
        }
    }

    fn labelled(&self) -> ([(&str, &str); 2], &Self) {
        let SiteLabels { function, place } = &self.labels;
        ([("function", function), ("place", place)], self)
    }
}

impl SiteLabels {
    fn of(group: &SiteGroup) -> Self {
        let place = group.label.place.as_deref().unwrap_or_default();
        Self {
            function: without_end(&group.label.name),
            place: without_beginning(place),
        }
    }

    /// Stands for all sites without a series of their own.
    fn others() -> Self {
        Self {
            function: "(other sites)".to_owned(),
            place: String::new(),
        }
    }
}

/// All of `sums`, those first whose value is largest; what is not a number comes last.
fn largest_first(sums: &[SiteSums], value: fn(&SiteSums) -> f64) -> Vec<&SiteSums> {
    let rank = |sums: &SiteSums| match value(sums) {
        value if value.is_nan() => f64::NEG_INFINITY,
        value => value,
    };
    let mut sorted: Vec<&SiteSums> = sums.iter().collect();
    sorted.sort_by(|a, b| {
        let by_value = rank(b).total_cmp(&rank(a));
        by_value.then_with(|| a.labels.cmp(&b.labels))
    });
    sorted
}

/// `text`, cut at its end if it is longer than a label may be.
fn without_end(text: &str) -> String {
    match text.char_indices().nth(LONGEST_LABEL) {
        Some(_) => text.chars().take(LONGEST_LABEL - 1).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

/// `text`, cut at its beginning if it is longer than a label may be.
fn without_beginning(text: &str) -> String {
    let kept_from = text.char_indices().rev().nth(LONGEST_LABEL - 2);
    match kept_from {
        Some((from, _)) if text[..from].chars().nth(1).is_some() => format!("…{}", &text[from..]),
        _ => text.to_owned(),
    }
}

/// Characters of a label's value.
const LONGEST_LABEL: usize = 120;

const LIVE: [Metric<SiteSums>; 3] = [
    Metric::gauge(
        "unkai_site_live",
        Some(Unit::Bytes),
        "Estimated bytes that were allocated at the site and are live.",
        |sums| Some(Number::Real(sums.live.bytes)),
    ),
    Metric::gauge(
        "unkai_site_live_error",
        Some(Unit::Bytes),
        "Half the width of the 95 % confidence interval of the live bytes of the site.",
        |sums| Some(Number::Real(sums.live.bytes_error_95())),
    ),
    Metric::gauge(
        "unkai_site_live_blocks",
        None,
        "Estimated blocks that were allocated at the site and are live.",
        |sums| Some(Number::Real(sums.live.blocks)),
    ),
];

const ALLOCATED: [Metric<SiteSums>; 2] = [
    Metric::counter(
        "unkai_site_allocated",
        Some(Unit::Bytes),
        "Estimated bytes ever allocated at the site.",
        |sums| Some(Number::Real(sums.allocated.bytes)),
    ),
    Metric::counter(
        "unkai_site_allocations",
        None,
        "Estimated blocks ever allocated at the site.",
        |sums| Some(Number::Real(sums.allocated.blocks)),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_labels_lose_what_says_least() {
        let fits = "é".repeat(LONGEST_LABEL);
        assert_eq!(without_end(&fits), fits);
        assert_eq!(without_beginning(&fits), fits);
        let long = format!("a{}b", "é".repeat(LONGEST_LABEL - 1));
        let kept = "é".repeat(LONGEST_LABEL - 2);
        assert_eq!(without_end(&long), format!("a{kept}…"));
        assert_eq!(without_beginning(&long), format!("…{kept}b"));
        assert_eq!(without_end(""), "");
        assert_eq!(without_beginning(""), "");
    }
}

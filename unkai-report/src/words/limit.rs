//! How a process stands to its limit, in words.

use unkai_core::{LimitStatus, Snapshot};

use crate::units::{bytes, plural};

/// `80 % used`, or `exceeded by 1.00 MiB`.
pub(crate) fn state(limit: &LimitStatus) -> String {
    match limit.over_bytes() {
        0 => format!("{:.0} % used", (limit.share() * 100.0).floor()),
        over => format!("exceeded by {}", bytes(over as f64)),
    }
}

/// Who has refused requests, each in a sentence without its full stop.
pub(crate) fn refusals(snapshot: &Snapshot) -> Vec<String> {
    let at_the_limit = snapshot.limit.map_or(0, |limit| limit.refused_requests);
    let by_the_allocator = snapshot
        .totals
        .refused_requests
        .saturating_sub(at_the_limit);
    [
        (at_the_limit, "at the limit"),
        (by_the_allocator, "by the allocator"),
    ]
    .into_iter()
    .filter(|(requests, _)| *requests > 0)
    .map(|(requests, by)| format!("{} refused {by}", plural(requests, "request")))
    .collect()
}

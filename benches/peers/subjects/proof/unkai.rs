//! Shows that unkai recorded.

use unkai::Snapshot;
use unkai_peers::child::Proof;

/// The samples taken so far, and what was lost.
pub(crate) fn of(snapshot: &Snapshot) -> Proof {
    let samples: i64 = snapshot
        .sites
        .iter()
        .map(|site| site.allocated.samples)
        .sum();
    if samples == 0 {
        return Err("no sample was taken".to_owned());
    }
    let frames = snapshot.sites.iter().map(|site| site.stack.len());
    let frames = frames.max().unwrap_or(0);
    let lost: Vec<String> = snapshot
        .losses
        .iter()
        .filter(|&(_, count)| count > 0)
        .map(|(cause, count)| format!("{cause:?} {count}"))
        .collect();
    let lost = if lost.is_empty() {
        "nothing lost".to_owned()
    } else {
        format!("lost: {}", lost.join(", "))
    };
    Ok(format!(
        "{samples} samples at {} sites, up to {frames} frames, {lost}",
        snapshot.sites.len()
    ))
}

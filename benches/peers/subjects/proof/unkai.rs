//! Serves a subject with unkai, and shows that it recorded.

use unkai::{Snapshot, UnkaiGlobalAlloc};
use unkai_peers::child::{self, Proof, nothing_to_record};

/// Serves the driver with this heap.
pub(crate) fn serve<A>(heap: &UnkaiGlobalAlloc<A>) -> ! {
    // The row that shows what counting alone costs.
    if std::env::var_os("UNKAI_PEERS_COUNT_ONLY").is_some() {
        heap.set_sampling_interval(0);
        child::serve(nothing_to_record)
    }
    child::serve(|| of(&heap.snapshot()))
}

/// The samples taken so far, and what was lost.
fn of(snapshot: &Snapshot) -> Proof {
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

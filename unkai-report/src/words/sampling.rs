//! How the samples were taken.

use unkai_core::{CrowdedTable, Sampling, Site, Snapshot, UnwinderKind};

use crate::units::{bytes, count, digits, plural, signed_digits};

/// How blocks were chosen, and how many.
pub(crate) fn blocks(snapshot: &Snapshot) -> String {
    let estimates = "sites are estimates from samples, with their 95 % confidence interval.";
    let is_exact = |site: &Site| site.allocated.blocks_variance == 0.0;
    let how = match snapshot.sampling.mode {
        Sampling::Off => "No block is sampled.".to_owned(),
        Sampling::EveryBlock if !snapshot.sites.iter().all(is_exact) => {
            format!("Every block is sampled now, but was not always: {estimates}")
        }
        Sampling::EveryBlock => {
            "Every block is sampled: the numbers of sites are exact.".to_owned()
        }
        Sampling::Bytes { interval } => format!(
            "One sample for every {} allocated, on average; {estimates}",
            bytes(interval as f64)
        ),
        Sampling::Blocks { one_in } => format!(
            "One block in {} is sampled, on average; {estimates}",
            digits(one_in)
        ),
        _ => "Blocks are sampled in a way that this report has no words for.".to_owned(),
    };
    let (mut samples, mut live) = (0_i64, 0_i64);
    for site in &snapshot.sites {
        samples = samples.saturating_add(site.allocated.samples);
        live = live.saturating_add(site.live.samples);
    }
    let call_stacks = plural(snapshot.sites.len() as u64, "call stack");
    let live = match snapshot.window {
        Some(_) => String::new(),
        None => format!("; {} of the sampled blocks are live", signed_digits(live)),
    };
    let how_many = format!("{} samples at {call_stacks}{live}.", signed_digits(samples));
    let set = match snapshot.sampling.times_sparser() {
        1 => String::new(),
        times => format!(" This is {} times sparser than set.", digits(times)),
    };
    let mut text = format!("{how}{set} {how_many}");
    if snapshot.sampling.threshold_bytes > 0 {
        let threshold = digits(snapshot.sampling.threshold_bytes);
        text += &format!(
            " Blocks of {threshold} B or fewer are counted in the totals, but never sampled: sites are without them."
        );
    }
    text
}

/// How call stacks were taken.
pub(crate) fn stacks(snapshot: &Snapshot) -> String {
    let unwinding = &snapshot.unwinding;
    let by = match unwinding.kind {
        UnwinderKind::None => return "No call stack was taken yet.".to_owned(),
        UnwinderKind::FramePointers => "by the chain of frame pointers".to_owned(),
        UnwinderKind::Tables => {
            format!(
                "by the unwind tables of {}",
                plural(unwinding.modules.into(), "module")
            )
        }
        UnwinderKind::Portable => "by the portable unwinder of the backtrace crate".to_owned(),
        _ => "in a way that this report has no words for".to_owned(),
    };
    let frames = plural(unwinding.max_frames.into(), "frame");
    let skipped = match unwinding.skipped_frames {
        0 => String::new(),
        skipped => format!(
            ", without the innermost {} as configured",
            digits(skipped.into())
        ),
    };
    let frame_pointers = match (unwinding.kind, unwinding.frame_pointers) {
        (UnwinderKind::FramePointers, _) | (_, Some(true) | None) => "",
        (_, Some(false)) => " The program keeps no frame pointers.",
    };
    format!("Call stacks are taken {by}, at most {frames} deep{skipped}.{frame_pointers}")
}

/// What a reader must know if a table that is nearly full keeps sampling sparser than it was set.
pub(crate) fn widened(snapshot: &Snapshot) -> Option<String> {
    let own = &snapshot.own_memory;
    let by = snapshot.sampling.widened?.by;
    let times = digits(snapshot.sampling.times_sparser());
    let (table, name, setting) = match by {
        CrowdedTable::Stacks => (own.stacks, "call stacks", "max_stack_nodes"),
        CrowdedTable::Sites => (own.sites, "sites", "max_sites"),
        CrowdedTable::LiveSamples => (own.live_blocks, "live samples", "max_live_samples"),
        _ => {
            return Some(format!(
                "Sampling is {times} times sparser than set: a table is nearly full."
            ));
        }
    };
    let (entries, capacity) = (count(table.entries as f64), count(table.capacity as f64));
    let full = if table.entries >= table.capacity / 4 * 3 {
        format!("is nearly full ({entries} of {capacity})")
    } else {
        format!("was nearly full ({entries} of {capacity} now)")
    };
    Some(format!(
        "Sampling is {times} times sparser than set: the table of {name} {full}. Estimates stay right on average, but \
         newer samples tell less. To have it as set, raise Config::{setting}."
    ))
}

//! What makes a report less than it seems.

use std::time::Duration;

use unkai_core::{Sampling, Snapshot, UnwinderKind};

use super::{naming, sampling};
use crate::report::Report;
use crate::units::{bytes, digits, plural, share};

/// One sentence or two for each thing that makes the report less than it seems.
pub(crate) fn warnings(report: &Report) -> Vec<String> {
    let snapshot = report.snapshot();
    let mut warnings = Vec::new();
    match snapshot.sampling {
        sampling if sampling.mode == Sampling::Off => warnings.push(
            "Sampling is off. The totals are exact; sites show only what was sampled before it was turned off."
                .to_owned(),
        ),
        sampling if sampling.paused => warnings.push(
            "Sampling is paused. The totals are exact; sites miss what was allocated since it was paused.".to_owned(),
        ),
        _ => {}
    }
    warnings.extend(sampling::widened(snapshot));
    if snapshot.sites.is_empty()
        && snapshot.sampling.mode != Sampling::Off
        && snapshot.totals.allocated.bytes > 0
    {
        warnings.push(format!(
            "There is no sample yet: {} were allocated, too little to say where.",
            bytes(snapshot.totals.allocated.bytes as f64)
        ));
    }
    names(report, &mut warnings);
    stacks(snapshot, &mut warnings);
    if !snapshot.losses.is_empty() {
        let causes = snapshot.losses.iter().filter(|(_, count)| *count > 0);
        let events = causes.fold(0_u64, |sum, (_, count)| sum.saturating_add(count));
        let events = plural(events, "event");
        warnings.push(format!(
            "{events} could not be recorded in full. Losses, below, says which and what it means."
        ));
    }
    if snapshot
        .window
        .is_some_and(|window| window == Duration::ZERO)
    {
        warnings.push("The two snapshots were taken at the same time.".to_owned());
    }
    warnings
}

fn names(report: &Report, warnings: &mut Vec<String>) {
    let addresses = report.addresses();
    let unnamed = addresses.iter().filter(|(_, named)| !named).count();
    if addresses.is_empty() || unnamed == 0 {
        return;
    }
    if let Some(stopped) = naming::stopped(report, unnamed, addresses.len()) {
        warnings.push(stopped);
    } else if let Some(new) = naming::not_yet(report, unnamed, addresses.len()) {
        warnings.push(new);
    } else if unnamed == addresses.len() {
        warnings.push(
            "No function has a name, addresses are shown: the report was made without names, or the program is \
             stripped of its symbols."
                .to_owned(),
        );
    // The C library's own frames often have none; that is not worth a warning.
    } else if unnamed * 10 > addresses.len() {
        warnings.push(format!(
            "{} of {} addresses have no name: some module is stripped of its symbols.",
            digits(unnamed as u64),
            digits(addresses.len() as u64)
        ));
    }
}

fn stacks(snapshot: &Snapshot, warnings: &mut Vec<String>) {
    let sites = &snapshot.sites;
    let all: f64 = sites.iter().map(|site| site.allocated.bytes).sum();
    let mut warn = |flagged: &dyn Fn(&unkai_core::Site) -> bool, what: &str, effect: &str| {
        let flagged: Vec<_> = sites.iter().filter(|site| flagged(site)).collect();
        if !flagged.is_empty() {
            let bytes: f64 = flagged.iter().map(|site| site.allocated.bytes).sum();
            let part = match share(bytes, all) {
                part if part.is_empty() => String::new(),
                part => format!(" ({part} of allocated bytes)"),
            };
            let stacks = plural(flagged.len() as u64, "call stack");
            warnings.push(format!("{what} {stacks}{part}: {effect}"));
        }
    };
    warn(
        &|site| site.truncated,
        "Outer frames are missing in",
        "deeper than the profiler keeps. The call tree cannot show these from main.",
    );
    warn(
        &|site| site.prefix_only,
        "Inner frames are missing in",
        "the table of stacks is full. Their sites are callers of the function that allocates.",
    );
    warn(
        &|site| site.stack.is_empty(),
        "No frame is known of",
        "the stack could not be taken, or the table of sites is full.",
    );
    if snapshot.unwinding.kind == UnwinderKind::FramePointers
        && snapshot.unwinding.frame_pointers == Some(false)
    {
        warnings.push(
            "The program keeps no frame pointers, but stacks are taken by them: callers are missing. Build with -C \
             force-frame-pointers=yes."
                .to_owned(),
        );
    }
}

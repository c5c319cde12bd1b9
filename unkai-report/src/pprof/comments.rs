//! What a reader must know, in the comments of a profile.
//!
//! `go tool pprof` shows them above each table and in the corner of each graph, but those that start with `#` only when
//! asked by `-comments`.

use unkai_core::Snapshot;

use crate::report::Report;
use crate::units::{bytes, digits, growth, signed_digits};
use crate::words::losses::explanation;
use crate::words::sampling;
use crate::words::warnings::warnings;

pub(super) fn of(report: &Report) -> Vec<String> {
    let snapshot = report.snapshot();
    let warnings = warnings(report).into_iter();
    let mut comments = vec![live(snapshot)];
    comments.extend(warnings.map(|warning| format!("! {warning}")));
    comments.extend(totals(snapshot).map(|total| format!("# Exact: {total}")));
    comments.push(format!("# {}", sampling::blocks(snapshot)));
    comments.push(format!("# {}", sampling::stacks(snapshot)));
    for (cause, events) in snapshot.losses.iter().filter(|(_, events)| *events > 0) {
        let explanation = explanation(cause);
        comments.push(format!("# Losses: {} {explanation}", digits(events)));
    }
    comments
}

/// The exact total to compare the first table with, and where the other comments are.
fn live(snapshot: &Snapshot) -> String {
    let live = snapshot.totals.live_bytes() as f64;
    let live = match snapshot.window {
        Some(_) => format!("Change of live bytes: {}", growth(live)),
        None => format!("Live bytes: {}", bytes(live)),
    };
    format!("{live} (exact; more with -comments)")
}

fn totals(snapshot: &Snapshot) -> [String; 4] {
    let totals = &snapshot.totals;
    let (when, live) = match snapshot.window {
        Some(_) => (" in the window", "live, change:"),
        None => ("", "live:"),
    };
    let amount = |bytes, blocks| format!("{} B in {} blocks", digits(bytes), digits(blocks));
    let allocated = amount(totals.allocated.bytes, totals.allocated.blocks);
    let freed = amount(totals.freed.bytes, totals.freed.blocks);
    let live_bytes = signed_digits(totals.live_bytes());
    let live_blocks = signed_digits(totals.live_blocks());
    let peak = digits(totals.peak_live_bytes);
    let error = digits(totals.peak_error_bytes);
    [
        format!("allocated{when}: {allocated}"),
        format!("freed{when}: {freed}"),
        format!("{live} {live_bytes} B in {live_blocks} blocks"),
        format!("peak of live bytes since the start: {peak} B, at most {error} B off"),
    ]
}

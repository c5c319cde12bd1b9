//! What it took to name the functions.

use crate::report::Report;
use crate::resolve::ResolveLimit;
use crate::units::{bytes, digits, duration};

/// What naming took in the process that allocated; `None` if it did not name anything, or nobody says.
pub(crate) fn cost(report: &Report) -> Option<String> {
    let cost = report.symbols().cost().filter(|cost| cost.addresses > 0)?;
    let elapsed = duration(cost.elapsed);
    let named = match cost.named {
        1 => "1 address was".to_owned(),
        named => format!("{} addresses were", digits(named)),
    };
    let memory = match cost.memory_bytes {
        Some(memory @ 1..) => format!(
            " with up to {} of memory, which was given back to the allocator",
            bytes(memory as f64)
        ),
        _ => String::new(),
    };
    Some(format!("{named} named in {elapsed}{memory}."))
}

/// What a reader must know if naming stopped before all of `addresses` were looked up and `unnamed` have no name.
pub(crate) fn stopped(report: &Report, unnamed: usize, addresses: usize) -> Option<String> {
    let limit = |limit: String| format!("naming stopped at its limit of {limit}");
    let reason = match report.symbols().cost()?.stopped_by? {
        ResolveLimit::MemoryBytes(most) => limit(bytes(most as f64)),
        ResolveLimit::Time(most) => limit(duration(most)),
        ResolveLimit::Fork => {
            "the process was forked while its parent was naming, and cannot".to_owned()
        }
    };
    let (unnamed, addresses) = (digits(unnamed as u64), digits(addresses as u64));
    Some(format!(
        "Names are missing for {unnamed} of {addresses} addresses: {reason}. \
         docs/symbols.md says how to name them afterwards."
    ))
}

/// What a reader must know if some of the `unnamed` addresses were not looked up, though no limit was reached: a cache of
/// names rests for a while after it has looked up.
pub(crate) fn not_yet(report: &Report, unnamed: usize, addresses: usize) -> Option<String> {
    let cost = report.symbols().cost()?;
    // Those that were looked up and have no name are not new.
    let new = (unnamed as u64).saturating_sub(cost.addresses.saturating_sub(cost.named));
    (new > 0).then(|| {
        let (new, addresses) = (digits(new), digits(addresses as u64));
        format!(
            "{new} of {addresses} addresses are new and have no name yet: looking up rests, so that it takes little of \
             the program's time."
        )
    })
}

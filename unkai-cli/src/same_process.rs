//! Whether snapshots can be compared.

use std::collections::HashMap;

use unkai_report::Report;
use unkai_report::units::duration;

use crate::failure::Failure;

/// Checks that `reports`, oldest first, are whole profiles of one process, as far as there is a sign of the contrary. Each
/// has a name for messages.
///
/// Two runs of a program that was loaded at the same addresses and allocated at the same places are not told apart.
pub(crate) fn check(reports: &[Report], names: &[String]) -> Result<(), Failure> {
    let named: Vec<_> = reports.iter().zip(names).collect();
    for (report, name) in &named {
        if report.snapshot().window.is_some() {
            return Err(Failure::Failed(format!(
                "{name}: it is the difference of two profiles; whole profiles are needed here"
            )));
        }
    }
    for pair in named.windows(2) {
        let [(earlier, earlier_name), (later, later_name)] = pair else {
            continue;
        };
        if let Some(reason) = difference(earlier, later) {
            return Err(Failure::Failed(format!(
                "{later_name}: it is of another process than {earlier_name}: {reason}"
            )));
        }
        let (before, after) = (earlier.snapshot().uptime, later.snapshot().uptime);
        if after < before {
            let (before, after) = (duration(before), duration(after));
            return Err(Failure::Failed(format!(
                "{later_name}: it is older than {earlier_name}, which comes first: taken {after} after the first \
                 allocation, the other after {before}"
            )));
        }
        let (before, after) = (earlier.snapshot().totals, later.snapshot().totals);
        if after.allocated.bytes < before.allocated.bytes || after.freed.bytes < before.freed.bytes
        {
            return Err(Failure::Failed(format!(
                "{later_name}: it is of another process than {earlier_name}: less was allocated or freed, though it is \
                 the later one"
            )));
        }
    }
    Ok(())
}

/// What two snapshots of one process would have in common, and these have not.
fn difference(one: &Report, other: &Report) -> Option<String> {
    let programs = one
        .modules()
        .list()
        .first()
        .zip(other.modules().list().first());
    if let Some((one, other)) = programs {
        if one.path != other.path {
            return Some(format!("the programs are {} and {}", other.path, one.path));
        }
        if one.build_id != other.build_id {
            return Some(format!("{} is another build", one.path));
        }
        if one.start != other.start {
            return Some(format!("{} was loaded at another address", one.path));
        }
    }
    let stacks = one
        .snapshot()
        .sites
        .iter()
        .map(|site| (site.id, &site.stack));
    let stacks: HashMap<_, _> = stacks.collect();
    let other = other.snapshot().sites.iter();
    let differs = |id: u32, stack: &Vec<u64>| stacks.get(&id).is_some_and(|one| *one != stack);
    let mut differing = other.filter(|site| differs(site.id, &site.stack));
    let id = differing.next()?.id;
    Some(format!("the call stack of site {id} is another one"))
}

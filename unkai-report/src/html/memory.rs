//! How the live bytes compare with what the process takes of the machine.

use serde::Serialize;
use unkai_core::Snapshot;

use crate::units::bytes;
use crate::words;

/// The parts of the resident bytes, and a sentence on them.
#[derive(Serialize)]
pub(super) struct Memory {
    /// `None` where the system does not say.
    resident: Option<u64>,
    /// unkai's tables, which stand beside the program's heap.
    tables: u64,
    /// What is neither live nor unkai's; `None` where the figures do not tell.
    rest: Option<u64>,
    sentence: String,
}

impl Memory {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let own = &snapshot.own_memory;
        let used = own.used_bytes();
        let tables = used.saturating_sub(own.unwinder_bytes);
        let mut memory = Self {
            resident: snapshot.resident_bytes,
            tables,
            rest: None,
            sentence: String::new(),
        };
        let text = |number: u64| bytes(number as f64);
        let live = u64::try_from(snapshot.totals.live_bytes()).unwrap_or(0);
        let process = match snapshot.resident_bytes {
            None => "The system did not say how much physical memory the process takes (RSS)."
                .to_owned(),
            Some(resident) if snapshot.window.is_some() => format!(
                "At the end of the window the process took {} of physical memory (RSS).",
                text(resident)
            ),
            Some(resident) => {
                let known = live.saturating_add(tables);
                memory.rest = resident.checked_sub(known);
                match memory.rest {
                    Some(rest) => format!(
                        "The process takes {} of physical memory (RSS): live blocks, unkai's tables, and {} of allocator \
                         slack, code, thread stacks and mapped files.",
                        text(resident),
                        text(rest)
                    ),
                    None => format!(
                        "The process takes {} of physical memory (RSS), less than what is live: pages were not touched \
                         yet, or are swapped out.",
                        text(resident)
                    ),
                }
            }
        };
        let limit = snapshot.limit.map_or_else(String::new, |limit| {
            let state = words::limit::state(&limit);
            format!(
                "Its limit is {} of live bytes: {state}. ",
                text(limit.limit_bytes)
            )
        });
        memory.sentence = format!(
            "{process} {limit}unkai itself uses {}: {} in tables beside the program's heap, and {} for unwinding, which is among \
             the live blocks.",
            text(used),
            text(tables),
            text(own.unwinder_bytes)
        );
        memory
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn the_parts_add_up_to_what_is_resident() {
        let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
        snapshot.totals.allocated.bytes = 5 << 20;
        snapshot.totals.freed.bytes = 1 << 20;
        snapshot.own_memory.sites.used_bytes = 1 << 20;
        snapshot.own_memory.unwinder_bytes = 1 << 19;
        snapshot.resident_bytes = Some(9 << 20);
        let memory = Memory::of(&snapshot);
        assert_eq!((memory.tables, memory.rest), (1 << 20, Some(4 << 20)));
        assert!(memory.sentence.contains("and 4.00 MiB of allocator slack"));
        assert!(memory.sentence.contains("unkai itself uses 1.50 MiB"));
    }

    #[test]
    fn no_rest_is_told_where_the_figures_cannot_tell_it() {
        let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
        snapshot.totals.allocated.bytes = 5 << 20;
        assert!(Memory::of(&snapshot).sentence.contains("did not say"));
        snapshot.resident_bytes = Some(4 << 20);
        let memory = Memory::of(&snapshot);
        assert_eq!(memory.rest, None);
        assert!(memory.sentence.contains("less than what is live"));
        snapshot.window = Some(Duration::from_secs(1));
        let memory = Memory::of(&snapshot);
        assert_eq!(memory.rest, None);
        assert!(memory.sentence.starts_with("At the end of the window"));
    }
}

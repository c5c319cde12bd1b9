//! The rows of a profile: the call stacks as they are shown, each once, with their sums.

use foldhash::HashMap;
use unkai_core::Site;

use super::tables::Tables;
use super::values::VALUES;
use crate::report::Report;
use crate::shown::path;
use crate::trim::trim;

/// All sites whose stacks are shown alike.
pub(super) struct Row {
    /// Ids of locations, innermost first.
    pub(super) stack: Vec<u64>,
    /// The sum of their estimates, in the order of [`VALUES`].
    pub(super) values: [f64; VALUES.len()],
}

/// The rows of `report`, in the order of its sites.
pub(super) fn of(report: &Report, whole_stacks: bool, tables: &mut Tables) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut by_stack: HashMap<Vec<u64>, usize> = HashMap::default();
    for site in &report.snapshot().sites {
        let frames = report.call_stack(site);
        let kept = if whole_stacks {
            &frames[..]
        } else {
            &frames[trim(&frames)]
        };
        let stack = tables.stack(path(site, kept));
        let index = *by_stack.entry(stack).or_insert_with_key(|stack| {
            rows.push(Row {
                stack: stack.clone(),
                values: [0.0; VALUES.len()],
            });
            rows.len() - 1
        });
        rows[index].add(site);
    }
    rows
}

impl Row {
    /// The average size of the row's blocks in bytes; `None` if that is not known, or rounds to 0.
    pub(super) fn block_size(&self) -> Option<i64> {
        let [allocated_blocks, allocated, live_blocks, live, ..] = self.values;
        let size = if allocated_blocks > 0.0 {
            allocated / allocated_blocks
        } else {
            live / live_blocks
        };
        let size = size.round();
        // What is not a number is not at least 1 either.
        (size >= 1.0).then_some(size as i64)
    }

    fn add(&mut self, site: &Site) {
        for (sum, value) in self.values.iter_mut().zip(VALUES) {
            let value = value.of(site);
            // One that is not would take the others of the row with it.
            if value.is_finite() {
                *sum += value;
            }
        }
    }
}

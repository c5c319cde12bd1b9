//! A scope as texts and metrics show it, whether it comes from this process or from a document.

use std::time::Duration;

use unkai_core::{ScopeSnapshot, TreeSnapshot};

/// The numbers of a scope, and what it is called.
#[derive(Clone, Debug, Default)]
pub(super) struct Row<'a> {
    #[cfg_attr(
        not(feature = "prometheus"),
        expect(dead_code, reason = "only metrics name a scope by its path")
    )]
    pub(super) path: &'a str,
    pub(super) name: &'a str,
    /// Levels below the first row.
    pub(super) depth: usize,
    pub(super) used: u64,
    pub(super) reserved: u64,
    pub(super) stock: u64,
    pub(super) peak: u64,
    pub(super) blocks: u64,
    pub(super) limit: Option<u64>,
    pub(super) high: Option<u64>,
    pub(super) min: u64,
    pub(super) leaked_bytes: u64,
    pub(super) leaked_blocks: u64,
    pub(super) refused: u64,
    pub(super) high_events: u64,
    pub(super) reclaimed_bytes: u64,
    pub(super) waits: u64,
    pub(super) waited: Duration,
    pub(super) waiting: u64,
    pub(super) closed: bool,
    pub(super) omitted_scopes: u64,
    pub(super) omitted_reserved: u64,
}

/// The scopes of a snapshot, each followed by those below it.
pub(super) fn of_snapshot(snapshot: &TreeSnapshot) -> Vec<Row<'_>> {
    snapshot.scopes().iter().map(Row::from).collect()
}

impl<'a> From<&'a ScopeSnapshot> for Row<'a> {
    fn from(scope: &'a ScopeSnapshot) -> Self {
        Self {
            path: scope.path(),
            name: scope.name(),
            depth: scope.depth,
            used: scope.used as u64,
            reserved: scope.reserved as u64,
            stock: scope.stock as u64,
            peak: scope.peak as u64,
            blocks: scope.blocks as u64,
            limit: scope.limit.map(|bytes| bytes as u64),
            high: scope.high.map(|bytes| bytes as u64),
            min: scope.min as u64,
            leaked_bytes: scope.leaked_bytes as u64,
            leaked_blocks: scope.leaked_blocks as u64,
            refused: scope.refused,
            high_events: scope.high_events,
            reclaimed_bytes: scope.reclaimed_bytes,
            waits: scope.waits,
            waited: scope.waited,
            waiting: scope.waiting as u64,
            closed: scope.closed,
            omitted_scopes: scope.omitted.scopes as u64,
            omitted_reserved: scope.omitted.reserved as u64,
        }
    }
}

#[cfg(feature = "json")]
pub(super) use documents::of_record;

#[cfg(feature = "json")]
mod documents {
    use super::{Duration, Row};
    use crate::scopes::json::ScopeRecord;

    /// The scopes of a document, each followed by those below it.
    pub(crate) fn of_record(record: &ScopeRecord) -> Vec<Row<'_>> {
        let mut rows = Vec::new();
        let mut open = vec![(record, 0)];
        while let Some((record, depth)) = open.pop() {
            rows.push(row(record, depth));
            open.extend(record.children.iter().rev().map(|child| (child, depth + 1)));
        }
        rows
    }

    fn row(record: &ScopeRecord, depth: usize) -> Row<'_> {
        Row {
            path: &record.path,
            name: &record.name,
            depth,
            used: record.used_bytes,
            reserved: record.reserved_bytes,
            stock: record.stock_bytes,
            peak: record.peak_bytes,
            blocks: record.blocks,
            limit: record.limit_bytes,
            high: record.high_bytes,
            min: record.min_bytes,
            leaked_bytes: record.leaked_bytes,
            leaked_blocks: record.leaked_blocks,
            refused: record.refused,
            high_events: record.high_events,
            reclaimed_bytes: record.reclaimed_bytes,
            waits: record.waits,
            waited: Duration::from_nanos(record.waited_nanoseconds),
            waiting: record.waiting,
            closed: record.closed,
            omitted_scopes: record.omitted_scopes,
            omitted_reserved: record.omitted_reserved_bytes,
        }
    }
}

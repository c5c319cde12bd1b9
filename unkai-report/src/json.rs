//! Reports as JSON: versioned, complete, and read back without loss.
//!
//! # The schema
//! A document is one object. All counts are integers and exact; estimates are floats; a float that is not finite is
//! written as `null` and read as NaN. Durations and moments are pairs of whole seconds and nanoseconds.
//!
//! | field | meaning |
//! |---|---|
//! | `schema` | always `"unkai.heap-profile"` |
//! | `version` | `1`. New optional fields do not raise it, anything else does; readers skip fields that they do not know |
//! | `taken_at` | `unix_seconds`, `nanoseconds`: when the snapshot was taken |
//! | `uptime` | `seconds`, `nanoseconds`: how long the profiler had run |
//! | `window` | `null`, or for a difference of two snapshots the time between them |
//! | `totals` | exact: `allocated` and `freed` with `bytes` and `blocks`; `peak_live_bytes`, `peak_error_bytes`; `refused_requests`, those of the limit among them |
//! | `resident_bytes` | bytes of the process in physical memory; missing if the system did not say |
//! | `limit` | the limit of the process: `limit_bytes`, the `live_bytes` to compare it with, whether it `refuses` what would exceed it, and the `refused_requests` so far; missing without a limit |
//! | `sampling` | `mode`: `"off"`, `"every_block"`, `{"bytes": {"interval": n}}` or `{"blocks": {"one_in": n}}`; where a table that is nearly full keeps it sparser than set, `widened`: `set`, like `mode`, and `by`, the name of the table in `own_memory`; `paused`; `threshold_bytes` |
//! | `unwinding` | `kind`: `"none"`, `"frame_pointers"`, `"tables"` or `"portable"`; `frame_pointers`: `null` if not known; `max_frames`, `skipped_frames`, `modules` |
//! | `losses` | events that were not recorded, by cause |
//! | `own_memory` | `threads`, `stacks`, `sites`, `live_blocks`, each with `entries`, `capacity`, `used_bytes`, `capacity_bytes`; `unwinder_bytes` |
//! | `modules` | where files with code were loaded, the executable first: `start`, `end` and `file_offset` as text (`"0x7f00"`), `path`, and where known `build_id` in hexadecimal; missing if none is known |
//! | `naming` | what it took to name addresses in the process that allocated: `addresses` to name, of which `named` have a name; `elapsed` with `seconds`, `nanoseconds`; where known `memory_bytes`, the most additional memory; `stopped_by`, if a limit ended it early, `{"memory_bytes": n}` or `{"time": {"seconds": n, "nanoseconds": n}}`, or `"fork"` where its parent was naming when it forked. Missing if that process named nothing |
//! | `functions` | a list of `name`, and where known `raw_name` (as in the binary) and `file` |
//! | `addresses` | a list of `address`, a return address as text (`"0x7f00"`), and `frames`, innermost first: `function` is an index in `functions`, `line` may be missing. Without a name, `frames` is missing |
//! | `sites` | one entry for each call stack, see below |
//!
//! A site has its `id`; its `stack`, indices in `addresses`, innermost first, or in its place `stack_addresses`, the
//! return addresses themselves as text, which need no entry in `addresses`; `truncated` (outer frames are missing) and
//! `prefix_only` (inner frames are missing); the estimates `allocated`, `live` and `at_peak`, each with `samples`,
//! `bytes`, `blocks`, `bytes_variance`, `blocks_variance`; and the histograms `lifetimes` and `ages`, lists of pairs of
//! bucket and blocks: bucket 0 is 0 ns, bucket `i` reaches from 2^(i−1) ns up to 2^i ns, and the last, 47, is open.

mod convert;
mod error;
mod modules;
mod naming;
pub(crate) mod schema;
mod sites;
mod status;
mod stream;
mod wire;

use std::io;

pub use error::ReadError;
use unkai_core::aside;

use crate::report::Report;
use schema::HEAP_PROFILE;
pub use stream::Stream;
use wire::Document;

/// How to write a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    pretty: bool,
}

impl Options {
    /// One line, without spaces.
    pub const fn new() -> Self {
        Self { pretty: false }
    }

    /// Whether to write indented lines, for people.
    #[must_use]
    pub const fn pretty(mut self, pretty: bool) -> Self {
        self.pretty = pretty;
        self
    }
}

/// Writes `report` as a document of the [schema](self), with a line break at its end.
///
/// Takes memory for one more copy of the report's numbers and names while it runs.
///
/// # Errors
/// Those of `out`. [`Unsupported`](io::ErrorKind::Unsupported) if the snapshot comes from a later version of
/// unkai-core and has something that the schema has no name for.
pub fn write(report: &Report, options: &Options, out: &mut impl io::Write) -> io::Result<()> {
    aside(|| schema::write(&convert::to_document(report)?, options, out))
}

/// Reads a document of the [schema](self). The report equals the one that was written.
///
/// Reads all of `input` into memory first. Makes no use of this process: the report may come from another machine.
///
/// # Errors
/// [`ReadError`] says whether the input failed, is damaged (and where), is something else, or is too new. No input
/// makes it panic.
///
/// ```
/// use std::time::SystemTime;
/// use unkai_core::Snapshot;
/// use unkai_report::{Report, json};
///
/// let report = Report::without_names(Snapshot::empty(SystemTime::now()));
/// let mut document = Vec::new();
/// json::write(&report, &json::Options::new(), &mut document)?;
/// assert_eq!(json::read(&document[..])?, report);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read(input: impl io::Read) -> Result<Report, ReadError> {
    aside(|| {
        let document: Document = HEAP_PROFILE.read(input)?;
        convert::from_document(&document)
    })
}

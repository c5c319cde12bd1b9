//! A tree of scopes as JSON: versioned, complete, and read back without loss.
//!
//! # The schema
//! A document is one object: the scope that the snapshot was taken of, with two fields more. All numbers are integers and
//! exact.
//!
//! | field | meaning |
//! |---|---|
//! | `schema` | always `"unkai.scopes"` |
//! | `version` | `1`. New optional fields do not raise it, anything else does; readers skip fields that they do not know |
//!
//! The fields of this and of every other scope are those of [`ScopeRecord`]. `limit_bytes` and `high_bytes` are `null` if
//! there is none; `children`, a list of scopes, the largest first, is missing if none is shown. No list or object stands
//! in a scope but this, so the deepest tree is nested 127 times: readers commonly stop at 128 or more.

use std::io;

use serde::{Deserialize, Serialize};
use unkai_core::{ScopeSnapshot, TreeSnapshot, aside};

use super::children;
use crate::json::schema::{self, SCOPES};
pub use crate::json::{Options, ReadError};

/// The numbers of a scope as a document has them, and the scopes below it.
///
/// For documents: in the process itself, a [`TreeSnapshot`] says the same without a copy. A number includes the scopes
/// below, where it does not say otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ScopeRecord {
    /// The scope's own name.
    pub name: String,
    /// The names from the root down to it, with `/` between them.
    pub path: String,
    /// Where in the program it was created: `file:line:column`.
    pub created_at: String,
    /// Bytes in use.
    pub used_bytes: u64,
    /// Bytes granted: those in use, in stocks, and guaranteed.
    pub reserved_bytes: u64,
    /// Bytes that lie ready in the stocks of this scope alone.
    pub stock_bytes: u64,
    /// The most bytes used at the same time.
    pub peak_bytes: u64,
    /// Blocks and reservations.
    pub blocks: u64,
    /// The limit, if there is one.
    pub limit_bytes: Option<u64>,
    /// The level at which the program is told, if there is one.
    pub high_bytes: Option<u64>,
    /// The guarantee.
    pub min_bytes: u64,
    /// Bytes that scopes directly below still held when they were dropped.
    pub leaked_bytes: u64,
    /// Their number of blocks.
    pub leaked_blocks: u64,
    /// Requests that the limit of this scope itself refused.
    pub refused: u64,
    /// How often this scope rose to `high_bytes`.
    pub high_events: u64,
    /// Bytes that reclaimers said they freed because this scope itself had no room.
    pub reclaimed_bytes: u64,
    /// Requests that waited at this scope itself, ever.
    pub waits: u64,
    /// How long they have waited, together; not those that still wait.
    pub waited_nanoseconds: u64,
    /// How many wait at this scope itself.
    pub waiting: u64,
    /// Whether it was closed.
    pub closed: bool,
    /// Scopes directly below that the bounds of the snapshot left out, not counting those below them.
    pub omitted_scopes: u64,
    /// Bytes granted to these and to all below them.
    pub omitted_reserved_bytes: u64,
    /// The scopes directly below that are shown, the largest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Self>,
}

#[derive(Serialize)]
struct Document<'r> {
    schema: &'static str,
    version: u64,
    #[serde(flatten)]
    scope: &'r ScopeRecord,
}

/// Writes the tree as a document of the [schema](self), with a line break at its end.
///
/// Takes memory for one more copy of the snapshot while it runs.
///
/// # Errors
/// Those of `out`.
pub fn write(
    snapshot: &TreeSnapshot,
    options: &Options,
    out: &mut impl io::Write,
) -> io::Result<()> {
    aside(|| {
        let document = Document {
            schema: SCOPES.name,
            version: SCOPES.version,
            scope: &snapshot.into(),
        };
        schema::write(&document, options, out)
    })
}

/// Reads a document of the [schema](self): the numbers are those that were written.
///
/// Reads all of `input` into memory first. Makes no use of this process: the tree may be that of another machine.
///
/// # Errors
/// [`ReadError`] says whether the input failed, is damaged (and where), is something else, or is too new. No input
/// makes it panic.
///
/// ```
/// use unkai_core::{Bounds, Scope};
/// use unkai_report::scopes::json;
///
/// let process = Scope::root("process").limit(1 << 20).build()?;
/// let cache = process.child("cache").build()?;
/// let pages = cache.try_reserve(5000)?;
///
/// let mut document = Vec::new();
/// json::write(&process.snapshot(Bounds::new()), &json::Options::new(), &mut document)?;
/// let read = json::read(&document[..])?;
/// assert_eq!((read.used_bytes, read.limit_bytes), (5000, Some(1 << 20)));
/// assert_eq!(read.children[0].path, "process/cache");
/// # drop(pages);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read(input: impl io::Read) -> Result<ScopeRecord, ReadError> {
    aside(|| SCOPES.read(input))
}

impl From<&TreeSnapshot> for ScopeRecord {
    fn from(snapshot: &TreeSnapshot) -> Self {
        Self::of(snapshot.scopes())
    }
}

impl ScopeRecord {
    /// The first of `subtree`, with those below it. There is one: a snapshot has at least the scope that it was taken of.
    fn of(subtree: &[ScopeSnapshot]) -> Self {
        let scope = &subtree[0];
        Self {
            name: scope.name().to_owned(),
            path: scope.path().to_owned(),
            created_at: scope.created_at.to_string(),
            used_bytes: scope.used as u64,
            reserved_bytes: scope.reserved as u64,
            stock_bytes: scope.stock as u64,
            peak_bytes: scope.peak as u64,
            blocks: scope.blocks as u64,
            limit_bytes: scope.limit.map(|bytes| bytes as u64),
            high_bytes: scope.high.map(|bytes| bytes as u64),
            min_bytes: scope.min as u64,
            leaked_bytes: scope.leaked_bytes as u64,
            leaked_blocks: scope.leaked_blocks as u64,
            refused: scope.refused,
            high_events: scope.high_events,
            reclaimed_bytes: scope.reclaimed_bytes,
            waits: scope.waits,
            // The scope counts in nanoseconds of 64 bits itself.
            waited_nanoseconds: scope.waited.as_nanos() as u64,
            waiting: scope.waiting as u64,
            closed: scope.closed,
            omitted_scopes: scope.omitted.scopes as u64,
            omitted_reserved_bytes: scope.omitted.reserved as u64,
            children: children(subtree, |scope| scope.depth)
                .map(Self::of)
                .collect(),
        }
    }
}

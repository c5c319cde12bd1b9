//! Dumps of the tree of scopes, from its [`TreeSnapshot`](unkai_core::TreeSnapshot).
//!
//! For whoever wants to know where limited memory is: a person in front of a terminal, a script, a monitoring system. As
//! with heap reports, each format is a module with a function `write(snapshot, options, out)` and its own `Options`:
//!
//! | module | for | reads back |
//! |---|---|---|
//! | [`text`] | people, in a terminal | |
//! | [`json`] (feature `json`, on by default) | programs, and other machines | [`json::read`] |
//! | `prometheus` (feature `prometheus`) | Prometheus and whatever else reads OpenMetrics | |
//!
//! How much is shown is decided when the snapshot is taken, by its [`Bounds`](unkai_core::Bounds); each format says what
//! they left out. A number of a scope includes the scopes below it, and all formats show the same numbers.
//!
//! What [`json::read`] gives back, [`text`] and `prometheus` write with `write_record`, as if it were of this process.
//!
//! A snapshot is plain data: writing it holds no lock of the tree. What that allocates comes from the global allocator, is
//! charged to no scope, and is not counted as the program's ([`unkai_core::aside`]).
//!
//! ```
//! use unkai_core::{Bounds, Scope};
//! use unkai_report::scopes::text;
//!
//! let process = Scope::root("process").limit(64 << 20).build()?;
//! let cache = process.child("cache").build()?;
//! let pages = cache.try_reserve(24 << 20)?;
//!
//! let mut out = Vec::new();
//! text::write(&process.snapshot(Bounds::new()), &text::Options::new(), &mut out)?;
//! let out = String::from_utf8(out)?;
//! assert!(out.contains("  24.0 MiB  64.0 MiB   37.5 % █▉     24.0 MiB       1  process\n"));
//! # drop(pages);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "json")]
pub mod json;
#[cfg(feature = "prometheus")]
pub mod prometheus;
mod row;
pub mod text;

/// The scopes directly below the first of `subtree`, each followed by those below it.
///
/// `subtree` is a scope and what follows it up to the next scope that is not below it.
fn children<S>(subtree: &[S], depth_of: fn(&S) -> usize) -> impl Iterator<Item = &[S]> {
    let (depth, below) = match subtree.split_first() {
        Some((scope, below)) => (depth_of(scope), below),
        None => (0, subtree),
    };
    below.chunk_by(move |_, next| depth_of(next) > depth + 1)
}

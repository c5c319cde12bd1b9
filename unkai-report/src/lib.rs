//! Heap reports from unkai snapshots, and dumps of its trees of scopes.
//!
//! You bring a [`Snapshot`](unkai_core::Snapshot) and something to write to. [`Report`] adds names to the numbers, once;
//! each format is a module with a function `write(report, options, out)` and its own `Options`:
//!
//! | module | for | reads back |
//! |---|---|---|
//! | [`text`] | people, in a terminal | |
//! | [`html`] (feature `json`) | people, in a browser: one page with everything, to zoom, search and sort | |
//! | [`folded`] | flame graph tools | |
//! | `flamegraph` (feature `flamegraph`) | people, in a browser: flame graphs as SVG | |
//! | [`dhat`] (feature `json`) | DHAT's viewer, `dh_view.html` of valgrind | |
//! | [`speedscope`] (feature `json`) | speedscope | |
//! | `pprof` (feature `pprof`) | `go tool pprof`, and servers that keep profiles | |
//! | [`json`] (feature `json`, on by default) | programs, and other machines | [`json::read`] |
//! | `prometheus` (feature `prometheus`) | Prometheus and whatever else reads OpenMetrics; also for a registry of your own | |
//! | [`scopes`] | trees of scopes, which need no names: text, JSON, and metrics (feature `prometheus`) | [`scopes::json::read`] |
//!
//! ```
//! use std::time::SystemTime;
//! use unkai_core::{Site, Snapshot};
//! use unkai_report::{Report, SourceFunction, Symbols, text};
//!
//! // In a real program the snapshot comes from the profiler, and `Report::new(snapshot)` finds the names.
//! let mut snapshot = Snapshot::empty(SystemTime::now());
//! let mut site = Site::new(2, vec![0x1010, 0x2020]);
//! site.live.bytes = 4096.0;
//! site.live.samples = 1;
//! snapshot.sites.push(site);
//! let symbols = Symbols::resolve_with([0x1010, 0x2020], |address| {
//!     let name = if address < 0x2000 { "alloc::vec::Vec<T,A>::push" } else { "my_app::main" };
//!     vec![SourceFunction { name: name.to_owned(), file: None, line: None }]
//! });
//! let report = Report::from_parts(snapshot, symbols);
//!
//! let mut out = Vec::new();
//! text::write(&report, &text::Options::new(), &mut out)?;
//! assert!(String::from_utf8(out)?.contains("my_app::main  (via Vec::push)"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Names cost: [`Report::new`] reads the debug information of the program, which on a large binary takes seconds and,
//! until it returns, up to [the 256 MiB that are its limit](ResolveLimits). Who makes many reports keeps names in a
//! [`NameCache`]. [`Report::without_names`] costs nothing and
//! keeps addresses, which can be named afterwards, on any machine: by `offline` (feature `offline`) or by tools.
//!
//! This crate never touches the profiler's live state: a report is made from a copy, and stays as it was made. What making
//! and writing a report allocates for a while is not counted as the program's: see [`unkai_core::aside`].

#![forbid(unsafe_code)]

mod brackets;
#[cfg(unkai_internals)]
#[doc(hidden)]
pub mod internals;
#[cfg(feature = "prometheus")]
mod metrics;
mod modules;
mod name_cache;
mod names;
#[cfg(feature = "json")]
mod numbered;
mod origin;
mod path;
mod report;
mod resolve;
mod shown;
mod sites;
mod stacks;
mod symbols;
mod tree;
mod trim;
mod under_way;
mod value;
mod words;

#[cfg(feature = "json")]
pub mod dhat;
#[cfg(feature = "flamegraph")]
pub mod flamegraph;
pub mod folded;
#[cfg(feature = "json")]
pub mod html;
#[cfg(feature = "json")]
pub mod json;
pub mod leaks;
#[cfg(feature = "offline")]
pub mod offline;
#[cfg(feature = "pprof")]
pub mod pprof;
#[cfg(feature = "prometheus")]
pub mod prometheus;
pub mod scopes;
#[cfg(feature = "json")]
pub mod speedscope;
pub mod text;
pub mod units;

pub use modules::{Module, Modules};
pub use name_cache::NameCache;
pub use names::printable;
pub use report::{Frame, Report};
pub use resolve::{ResolveCost, ResolveLimit, ResolveLimits};
pub use stacks::readable_stacks;
pub use symbols::{Function, SourceFunction, Symbols};
pub use value::Value;

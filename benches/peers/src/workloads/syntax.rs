//! Rust sources are parsed to syntax trees: many small boxes of many types. The sources are unkai's own, as they were when
//! this was built.

use std::hint::black_box;
use std::time::Instant;

use super::Run;

/// The text of each file in unkai's crates.
const SOURCES: &[&str] = include!(concat!(env!("OUT_DIR"), "/sources.rs"));

pub(super) fn prepare() -> Run {
    let sources = SOURCES.iter().copied();
    // A source that is being worked on may not be valid.
    let sources: Vec<&str> = sources
        .filter(|source| syn::parse_file(source).is_ok())
        .collect();
    assert!(!sources.is_empty(), "unkai's sources are two folders up");
    Box::new(move |times| {
        let start = Instant::now();
        for _ in 0..times {
            for source in &sources {
                drop(black_box(syn::parse_file(source)));
            }
        }
        start.elapsed()
    })
}

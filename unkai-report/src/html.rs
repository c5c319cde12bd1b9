//! A report for a browser: one file that needs nothing else.
//!
//! It opens from disk, without a network and without a server, on a screen or on paper, in light and in dark. What it
//! shows, in this order:
//!
//! 1. what to know before trusting the numbers, and what could not be recorded;
//! 2. exact totals, the largest sites, and how live bytes compare with what the system gave the process;
//! 3. a flame graph to zoom and search in, of live, peak or allocated bytes or blocks;
//! 4. a table of sites, to sort and to search, each with its call stacks;
//! 5. lifetimes of freed blocks and ages of live ones;
//! 6. sites that look like leaks ([`leaks`]);
//! 7. how samples were taken, unkai's own memory, the modules, and what each figure means.
//!
//! ```
//! use std::time::SystemTime;
//! use unkai_core::Snapshot;
//! use unkai_report::{Report, html};
//!
//! let report = Report::new(Snapshot::empty(SystemTime::now()));
//! let mut page = Vec::new();
//! html::write(&report, &html::Options::new().title("search, after the import"), &mut page)?;
//! assert!(page.starts_with(b"<!doctype html>"));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! The page holds the numbers as one JSON document, and a script that draws it. Names of functions and files reach the
//! page as text only, whatever they are made of, and the page forbids itself every connection.

mod data;
mod memory;
mod safe;
mod stacks;

use std::io;

use serde::Serialize;
use unkai_core::{Snapshot, aside};

use crate::report::Report;
#[cfg(doc)]
use crate::{json, leaks};
use data::Data;
use safe::{InScript, escape_text};

/// What to write beside the report.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    title: &'a str,
    earlier: &'a [Snapshot],
}

impl<'a> Options<'a> {
    /// The title "Heap report", and no earlier snapshot.
    pub const fn new() -> Self {
        Self {
            title: "Heap report",
            earlier: &[],
        }
    }

    /// What the page is called: best the program, and what it was doing. Any text.
    #[must_use]
    pub const fn title(self, title: &'a str) -> Self {
        Self { title, ..self }
    }

    /// Snapshots of the same process from before: they show which sites grow steadily.
    #[must_use]
    pub const fn earlier(self, earlier: &'a [Snapshot]) -> Self {
        Self { earlier, ..self }
    }
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self::new()
    }
}

/// Writes `report` as a page of HTML, in UTF-8.
///
/// Estimates are rounded to whole numbers, below a thousand to hundredths; a value that is not a number becomes 0.
/// [`json`] keeps every digit, and can be read back: this page is for people.
///
/// # Cost
/// Time and memory in proportion to the sites, their frames and the functions: for 50,000 call stacks of 25 frames in
/// 300,000 functions a little more than a second and 220 MB, and 17 MB written. A browser draws such a page in a second or two.
///
/// # Errors
/// Those of `out`.
pub fn write(report: &Report, options: &Options<'_>, out: &mut impl io::Write) -> io::Result<()> {
    aside(|| write_page(report, options, &mut io::BufWriter::new(out)))
}

fn write_page(report: &Report, options: &Options<'_>, out: &mut impl io::Write) -> io::Result<()> {
    let mut rest = PAGE;
    while let Some((before, behind)) = rest.split_once("<!--") {
        let (name, behind) = behind.split_once("-->").unwrap_or_default();
        out.write_all(before.as_bytes())?;
        insert(name, report, options, out)?;
        rest = behind;
    }
    out.write_all(rest.as_bytes())?;
    out.flush()
}

/// Writes what stands in the page at the mark `name`.
fn insert(
    name: &str,
    report: &Report,
    options: &Options<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    match name {
        "title" => escape_text(options.title, out),
        "style" => out.write_all(STYLE.as_bytes()),
        "data" => {
            let data = Data::new(report, options.title, options.earlier);
            data.serialize(&mut serde_json::Serializer::with_formatter(out, InScript))?;
            Ok(())
        }
        _ => SCRIPTS
            .iter()
            .try_for_each(|script| out.write_all(script.as_bytes())),
    }
}

const PAGE: &str = include_str!("html/page.html");
const STYLE: &str = include_str!("html/style.css");
/// One script in several files, in the order in which they need each other.
const SCRIPTS: [&str; 7] = [
    include_str!("html/words.js"),
    include_str!("html/data.js"),
    include_str!("html/charts.js"),
    include_str!("html/flame.js"),
    include_str!("html/sites.js"),
    include_str!("html/head.js"),
    include_str!("html/page.js"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_of_the_page_is_known_and_there_once() {
        let marks: Vec<&str> = PAGE
            .split("<!--")
            .skip(1)
            .map(|mark| mark.split("-->").next().unwrap_or_default())
            .collect();
        assert_eq!(marks, ["title", "style", "data", "script"]);
    }

    #[test]
    fn no_script_could_end_its_element_and_none_makes_elements_of_text() {
        for script in SCRIPTS {
            for never in ["</script", "<!--", "innerHTML", "document.write", "eval("] {
                assert!(!script.contains(never), "{never}");
            }
        }
        assert!(!STYLE.contains("</style"));
    }
}

//! A tree of scopes for people: plain text for a terminal of 80 columns and more.
//!
//! ```text
//!       used     limit     full            peak  blocks  scope
//!   44.0 MiB  64.0 MiB   68.8 % ███▌   52.0 MiB     107  search  · high 48.0 MiB, reached once
//!   30.0 MiB                           30.0 MiB       1  ├─ import
//!   12.0 MiB  12.0 MiB  100.0 % █████  12.0 MiB     105  ├─ tenant 7  · refused 3 times · 2 waiting
//! ≤ 12.0 MiB                                             │  └─ … 93 scopes
//!   2.00 MiB                           22.0 MiB       1  └─ cache  · min 8.00 MiB
//! ```
//!
//! | column | is |
//! |---|---|
//! | used | bytes in use, here and below; for scopes that are left out, what they use at most: the bytes granted to them |
//! | limit | the scope's own limit, if it has one; `closed` if it refuses everything |
//! | full | how much of the limit is used; from 96 columns on with a bar |
//! | peak | the most bytes used at the same time |
//! | blocks | blocks and reservations, here and below |
//! | scope | its name, and what else there is to say of it |
//!
//! The columns about limits are left out if no scope has one.
//!
//! Behind a name stands only what is not zero, what asks for attention first: requests that this scope's limit
//! `refused`, that are `waiting` for it now, or `waited` earlier; what scopes below `leaked`; what reclaimers gave when
//! there was no room; the level `high`, and how often it was reached; the guarantee `min`; and the bytes `reserved`,
//! where they are well above those used and guaranteed here (by an eighth of the used ones): the rest is guaranteed to
//! scopes below, or lies ready in stocks for the next requests.
//!
//! Names are shown as they are, but for characters that a terminal would not print as one of its own: they are escaped
//! as in Rust (`\n`, `\u{1b}`), and so is `\`. Names that are too long are cut.

use std::io;

use unkai_core::{TreeSnapshot, aside};

use super::children;
#[cfg(feature = "json")]
use super::json::ScopeRecord;
use super::row::{self, Row};
use crate::text::layout::bar;
use crate::units::{bytes, count, digits, duration, plural, share};

/// How to lay the text out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    width: usize,
}

impl Options {
    /// 100 columns.
    pub const fn new() -> Self {
        Self { width: 100 }
    }

    /// Columns to fill; values outside of 80 to 400 are moved into that range. A note or a name
    /// deep down in the tree may take more.
    #[must_use]
    pub const fn width(mut self, columns: usize) -> Self {
        self.width = match columns {
            ..80 => 80,
            80..=400 => columns,
            _ => 400,
        };
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

/// Writes the tree as text.
///
/// # Errors
/// Those of `out`.
///
/// ```
/// use unkai_core::{Bounds, Scope};
/// use unkai_report::scopes::text;
///
/// let process = Scope::root("process").build()?;
/// let queries = (0..9)
///     .map(|n| process.child(&format!("query {n}")).build())
///     .collect::<Result<Vec<_>, _>>()?;
///
/// let mut out = Vec::new();
/// let snapshot = process.snapshot(Bounds::new().top(3));
/// text::write(&snapshot, &text::Options::new(), &mut out)?;
/// assert!(String::from_utf8(out)?.contains("└─ … and 6 more scopes"));
/// # drop(queries);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write(
    snapshot: &TreeSnapshot,
    options: &Options,
    out: &mut impl io::Write,
) -> io::Result<()> {
    aside(|| write_rows(&row::of_snapshot(snapshot), options, out))
}

/// Writes a tree that was read back as text.
///
/// # Errors
/// Those of `out`.
#[cfg(feature = "json")]
pub fn write_record(
    record: &ScopeRecord,
    options: &Options,
    out: &mut impl io::Write,
) -> io::Result<()> {
    aside(|| write_rows(&row::of_record(record), options, out))
}

fn write_rows(scopes: &[Row<'_>], options: &Options, out: &mut impl io::Write) -> io::Result<()> {
    let mut drawing = Drawing {
        out,
        width: options.width,
        has_bars: options.width >= WIDTH_WITH_BARS,
        has_limits: scopes.iter().any(|scope| scope.limit.is_some()),
    };
    drawing.title(scopes)?;
    drawing.tree(scopes, &mut String::new(), "", "")
}

struct Drawing<'w> {
    out: &'w mut dyn io::Write,
    width: usize,
    /// Whether the columns about limits are there.
    has_limits: bool,
    /// Whether there is room for bars.
    has_bars: bool,
}

impl Drawing<'_> {
    fn title(&mut self, scopes: &[Row<'_>]) -> io::Result<()> {
        let omitted: u64 = scopes
            .iter()
            .map(|scope| scope.omitted_scopes)
            .fold(0, u64::saturating_add);
        let shown = plural(scopes.len() as u64, "scope");
        let left_out = match omitted {
            0 => String::new(),
            1 => "; 1 more is left out, with those below it".to_owned(),
            _ => format!(
                "; {} more are left out, with those below them",
                digits(omitted)
            ),
        };
        writeln!(self.out, "unkai scopes\n  {shown}{left_out}")?;
        writeln!(self.out, "  Each line includes the scopes below it.\n")?;
        let numbers = self.numbers("used", "limit", "full", "", "peak", "blocks");
        writeln!(self.out, "{numbers}scope")
    }

    /// Draws the first of `subtree` and all below it. `guides` lead to the parent's own branches; `branch` stands before
    /// the name, `below` in its place before further lines.
    fn tree(
        &mut self,
        subtree: &[Row<'_>],
        guides: &mut String,
        branch: &str,
        below: &str,
    ) -> io::Result<()> {
        let Some(scope) = subtree.first() else {
            return Ok(());
        };
        let mut children = children(subtree, |scope| scope.depth).peekable();
        let omitted = scope.omitted_scopes;
        let is_leaf = children.peek().is_none() && omitted == 0;
        let outer = guides.len();
        self.line(scope, guides, branch, below, is_leaf)?;
        guides.push_str(below);
        let more = if children.peek().is_some() {
            format!("and {}", plural(omitted, "more scope"))
        } else {
            plural(omitted, "scope")
        };
        while let Some(child) = children.next() {
            if children.peek().is_some() || omitted > 0 {
                self.tree(child, guides, "├─ ", "│  ")?;
            } else {
                self.tree(child, guides, "└─ ", "   ")?;
            }
        }
        if omitted > 0 {
            // What is granted to them is the most that they can use.
            let at_most = format!("≤ {:>8}", bytes(scope.omitted_reserved as f64));
            let numbers = self.numbers(&at_most, "", "", "", "", "");
            writeln!(self.out, "{numbers}{guides}└─ … {more}")?;
        }
        guides.truncate(outer);
        Ok(())
    }

    /// The numbers and the name of `scope`, and its notes: behind the name, and where there is no room, below it.
    fn line(
        &mut self,
        scope: &Row<'_>,
        guides: &str,
        branch: &str,
        below: &str,
        is_leaf: bool,
    ) -> io::Result<()> {
        let (limit, full, full_bar) = fullness(scope);
        let mut line = self.numbers(
            &bytes(scope.used as f64),
            &limit,
            &full,
            &full_bar,
            &bytes(scope.peak as f64),
            &count(scope.blocks as f64),
        );
        line.push_str(guides);
        line.push_str(branch);
        let mut used = columns(&line);
        let room = self.width.saturating_sub(used).max(MIN_NAME_WIDTH);
        let name = cut(&printable(scope.name), room);
        used += columns(&name);
        line.push_str(&name);
        let further = if is_leaf { "" } else { "│" };
        let indent = format!("{}{guides}{below}{further:<2}", self.blank());
        let mut before = "  · ";
        for note in notes(scope) {
            let length = columns(before) + columns(&note);
            if used + length > self.width && used > columns(&indent) {
                writeln!(self.out, "{line}")?;
                line.clone_from(&indent);
                used = columns(&indent);
                before = "· ";
            }
            line.push_str(before);
            line.push_str(&note);
            used += columns(before) + columns(&note);
            before = " · ";
        }
        writeln!(self.out, "{line}")
    }

    fn numbers(
        &self,
        used: &str,
        limit: &str,
        full: &str,
        full_bar: &str,
        peak: &str,
        blocks: &str,
    ) -> String {
        let limits = match (self.has_limits, self.has_bars) {
            (false, _) => String::new(),
            (true, false) => format!("  {limit:>8}  {full:>7}"),
            (true, true) => format!("  {limit:>8}  {full:>7} {full_bar:<BAR_WIDTH$}"),
        };
        format!("{used:>10}{limits}  {peak:>8}  {blocks:>6}  ")
    }

    /// Spaces as wide as the numbers.
    fn blank(&self) -> String {
        self.numbers("", "", "", "", "", "")
    }
}

/// The columns about the limit: what it is, how much of it is used, and a bar.
fn fullness(scope: &Row<'_>) -> (String, String, String) {
    if scope.closed {
        return ("closed".to_owned(), String::new(), String::new());
    }
    let Some(limit) = scope.limit else {
        return Default::default();
    };
    let (used, whole) = (scope.used as f64, limit as f64);
    // A limit may have been lowered below what is used.
    let share = if used > 9.999 * whole {
        "> 999 %".to_owned()
    } else {
        share(used, whole)
    };
    (bytes(whole), share, bar(used / whole, BAR_WIDTH))
}

/// What else there is to say of a scope, the most urgent first.
fn notes(scope: &Row<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    if scope.refused > 0 {
        notes.push(format!("refused {}", times(scope.refused)));
    }
    if scope.waiting > 0 {
        notes.push(format!("{} waiting", digits(scope.waiting)));
    }
    if scope.leaked_blocks > 0 || scope.leaked_bytes > 0 {
        let blocks = plural(scope.leaked_blocks, "block");
        notes.push(format!(
            "leaked {} in {blocks}",
            bytes(scope.leaked_bytes as f64)
        ));
    }
    if scope.waits > 0 {
        let (times, waited) = (times(scope.waits), duration(scope.waited));
        notes.push(format!("waited {times}, {waited} in all"));
    }
    if scope.reclaimed_bytes > 0 {
        notes.push(format!("reclaimed {}", bytes(scope.reclaimed_bytes as f64)));
    }
    if let Some(high) = scope.high {
        let reached = match scope.high_events {
            0 => String::new(),
            events => format!(", reached {}", times(events)),
        };
        notes.push(format!("high {}{reached}", bytes(high as f64)));
    }
    if scope.min > 0 {
        notes.push(format!("min {}", bytes(scope.min as f64)));
    }
    let idle = scope.reserved.saturating_sub(scope.used.max(scope.min));
    if idle > scope.used / 8 {
        let stock = match scope.stock {
            0 => String::new(),
            stock => format!(", {} of it in stock", bytes(stock as f64)),
        };
        notes.push(format!("reserved {}{stock}", bytes(scope.reserved as f64)));
    }
    notes
}

/// `name` with everything escaped that would not be printed as a character of its own.
fn printable(name: &str) -> String {
    if name.is_empty() {
        return "\"\"".to_owned();
    }
    // Each quote comes with a backslash of its own: none is needed here.
    let escaped = name.escape_debug().to_string();
    escaped.replace("\\\"", "\"").replace("\\'", "'")
}

/// The start of `name` in at most `width` columns.
fn cut(name: &str, width: usize) -> String {
    if columns(name) <= width {
        return name.to_owned();
    }
    let start: String = name.chars().take(width.saturating_sub(1)).collect();
    format!("{start}…")
}

fn columns(text: &str) -> usize {
    text.chars().count()
}

/// `once`, `2 times`.
fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        _ => format!("{} times", digits(count)),
    }
}

const BAR_WIDTH: usize = 5;
/// With fewer columns, names have more use for the place of the bars.
const WIDTH_WITH_BARS: usize = 96;
/// A name gets so many columns even where the line becomes too long for it.
const MIN_NAME_WIDTH: usize = 16;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_scope_of_which_nothing_is_to_say_has_no_notes() {
        assert!(notes(&Row::default()).is_empty());
    }

    #[test]
    fn everything_that_is_not_zero_is_noted() {
        let scope = Row {
            refused: 1234,
            waiting: 2,
            leaked_bytes: 4096,
            leaked_blocks: 1,
            waits: 5,
            waited: Duration::from_millis(1200),
            reclaimed_bytes: 1 << 20,
            high: Some(1 << 30),
            high_events: 1,
            min: 1 << 20,
            reserved: 2 << 20,
            stock: 64 << 10,
            ..Row::default()
        };
        assert_eq!(
            notes(&scope),
            [
                "refused 1,234 times",
                "2 waiting",
                "leaked 4.00 KiB in 1 block",
                "waited 5 times, 1.20 s in all",
                "reclaimed 1.00 MiB",
                "high 1.00 GiB, reached once",
                "min 1.00 MiB",
                "reserved 2.00 MiB, 64.0 KiB of it in stock",
            ]
        );
    }

    #[test]
    fn limits_that_were_lowered_keep_the_columns() {
        let mut scope = Row {
            used: u64::MAX,
            ..Row::default()
        };
        for (limit, expected) in [
            (0, "> 999 %"),
            (1, "> 999 %"),
            (u64::MAX, "100.0 %"),
            (u64::MAX / 2, "200.0 %"),
        ] {
            scope.limit = Some(limit);
            let (_, share, bar) = fullness(&scope);
            assert_eq!((share.as_str(), bar.as_str()), (expected, "█████"));
        }
        scope.used = 0;
        scope.limit = Some(0);
        let (limit, share, bar) = fullness(&scope);
        assert_eq!(
            (limit.as_str(), share.as_str(), bar.as_str()),
            ("0 B", "", "")
        );
    }

    #[test]
    fn names_are_told_apart_and_stay_on_their_line() {
        assert_eq!(printable("tenant 7 <\"ä'日\">"), "tenant 7 <\"ä'日\">");
        assert_eq!(
            printable("a\nb\r\u{1b}[31m\u{9b}\0\t"),
            "a\\nb\\r\\u{1b}[31m\\u{9b}\\0\\t"
        );
        assert_eq!(printable("\\n\\\""), "\\\\n\\\\\"");
        assert_eq!(
            printable("\u{202e}x\u{2028}\u{feff}"),
            "\\u{202e}x\\u{2028}\\u{feff}"
        );
        assert_eq!(printable(""), "\"\"");
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
    }
}

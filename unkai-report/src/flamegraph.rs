//! Flame graphs as SVG: of one report, and of what changed between two.
//!
//! Each box is a function, as wide as what was allocated in it and in what it called; the boxes above are those that it
//! called. The file is a page of its own for any browser: a click zooms, a word at the upper right searches. Frames of
//! the allocator and of the runtime are left out, as in the text report; names are [short](crate::Function::short_name).
//!
//! In [`write()`], each crate has a colour, the standard library is pale, and what has no name is grey. Of a difference of
//! two snapshots, [`write()`] shows growth (red) and shrinkage (blue) alone; [`write_change`] shows all that the later
//! report has, coloured by what became of it.

mod colours;
mod head;
mod lines;

use std::io;

use inferno::flamegraph::color::{BackgroundColor, PaletteMap};
use inferno::flamegraph::{self, TextTruncateDirection};

use unkai_core::aside;

use crate::report::Report;
use crate::value::Value;
use head::Head;
use lines::Lines;

/// What to draw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    value: Value,
    min_share: f64,
}

impl Options {
    /// Live bytes, in boxes down to a thousandth of the whole.
    pub const fn new() -> Self {
        Self {
            value: Value::LiveBytes,
            min_share: 0.001,
        }
    }

    /// Draws `value` instead.
    #[must_use]
    pub const fn value(mut self, value: Value) -> Self {
        self.value = value;
        self
    }

    /// Boxes with a smaller share of the whole than this (0 to 1) are left out: their width stays empty, above the box of
    /// their caller. Smaller shares make larger files.
    #[must_use]
    pub const fn min_share(mut self, share: f64) -> Self {
        self.min_share = share;
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

/// Draws `report`. The same report gives the same file.
///
/// Stacks whose value rounds to zero are left out, and those with a negative one. In a difference of two snapshots, live
/// bytes and blocks are changes: boxes are as wide as the change, red where it is growth and blue where it is shrinkage
/// at the innermost function; the callers of both are white. A report that has nothing to draw gives an SVG that says so.
///
/// # Cost
/// Time and memory in proportion to the sites and their frames. The file has at most 1/[`min_share`](Options::min_share)
/// boxes at each depth, of about 300 bytes.
///
/// # Errors
/// Those of `out`.
///
/// ```
/// use std::time::SystemTime;
/// use unkai_core::{Site, Snapshot};
/// use unkai_report::{Report, flamegraph};
///
/// let mut snapshot = Snapshot::empty(SystemTime::now());
/// let mut site = Site::new(2, vec![0x1234, 0x5678]);
/// site.live.bytes = 4096.0;
/// snapshot.sites.push(site);
///
/// let mut out = Vec::new();
/// flamegraph::write(&Report::without_names(snapshot), &flamegraph::Options::new(), &mut out)?;
/// assert!(String::from_utf8_lossy(&out).contains("0x1234 (4,096 bytes, 100.00%)"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn write(report: &Report, options: &Options, out: &mut impl io::Write) -> io::Result<()> {
    aside(|| {
        let head = Head::of(report, options.value);
        if report.snapshot().window.is_some() && options.value.is_level() {
            let lines = Lines::of_growth(report, options.value);
            return draw(&lines, head, None, options, out);
        }
        let lines = Lines::of(report, options.value);
        let mut palette = colours::palette(report, &lines);
        draw(&lines, head, Some(&mut palette), options, out)
    })
}

/// Draws `later`, coloured by what changed since `earlier`: red where it grew at the innermost function, blue where it
/// shrank, the stronger the more, and white where it stayed or changed in callees alone.
///
/// Stacks are the same if their functions have the same names, so the reports may come from two processes, and from two
/// builds of a program. Boxes are as wide as the value in `later`; what was in `earlier` alone has no width, and the
/// second line says how much that is. [`write()`] with the report of a difference of two snapshots draws changes alone.
///
/// # Errors
/// Those of `out`.
///
/// ```
/// use std::time::SystemTime;
/// use unkai_core::{Site, Snapshot};
/// use unkai_report::{Report, flamegraph};
///
/// let report = |bytes: f64| {
///     let mut snapshot = Snapshot::empty(SystemTime::now());
///     let mut site = Site::new(2, vec![0x1234]);
///     site.live.bytes = bytes;
///     snapshot.sites.push(site);
///     Report::without_names(snapshot)
/// };
/// let mut out = Vec::new();
/// flamegraph::write_change(&report(3072.0), &report(4096.0), &flamegraph::Options::new(), &mut out)?;
/// assert!(String::from_utf8_lossy(&out).contains("0x1234 (4,096 bytes, 100.00%; +25.00%)"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn write_change(
    earlier: &Report,
    later: &Report,
    options: &Options,
    out: &mut impl io::Write,
) -> io::Result<()> {
    aside(|| {
        let lines = Lines::of_change(earlier, later, options.value);
        let head = Head::of_change(earlier, later, options.value, lines.gone);
        draw(&lines, head, None, options, out)
    })
}

/// Draws `lines`: by `palette`, or as changes.
fn draw(
    lines: &Lines,
    head: Head,
    palette: Option<&mut PaletteMap>,
    options: &Options,
    out: &mut impl io::Write,
) -> io::Result<()> {
    if lines.is_empty() {
        return head.write_alone(out);
    }
    let mut drawing = flamegraph::Options::default();
    drawing.title = head.title;
    drawing.subtitle = Some(head.subtitle);
    drawing.count_name = head.unit.to_owned();
    // In percent. Not a number becomes zero: nothing is left out.
    drawing.min_width = options.min_share.max(0.0) * 100.0;
    // The end of a path tells more than its start.
    drawing.text_truncate_direction = TextTruncateDirection::Left;
    drawing.bgcolors = Some(BackgroundColor::Flat(colours::BACKGROUND));
    drawing.stroke_color = match palette {
        Some(_) => colours::LINES,
        None => colours::LINES_OF_CHANGES,
    };
    drawing.palette_map = palette;
    drawing.frame_height = 18;
    // Takes the lines as they are, from the last to the first. All else would sort them by their characters, where `a::b`
    // stands between `a` and `a;c`, and the box of `a` would be torn in two.
    drawing.flame_chart = true;
    // It writes very small pieces, and flushes at the end.
    flamegraph::from_lines(&mut drawing, lines.last_to_first(), io::BufWriter::new(out))
}

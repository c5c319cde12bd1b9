//! Headings, wrapped paragraphs, bars, and paths that fit.

use std::borrow::Cow;
use std::io;

use unkai_core::Estimate;

use super::Options;
use super::paint::Ink;
use crate::brackets::segments;
use crate::units;

/// A blank line, then `title` in a rule over the whole width.
pub(super) fn heading(
    title: &str,
    options: &Options<'_>,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let rule = "─".repeat(options.width.saturating_sub(title.chars().count() + 4));
    let paint = options.paint;
    let (start, rule) = (paint.ink(Ink::Faint, "──"), paint.ink(Ink::Faint, &rule));
    let title = paint.ink(Ink::Strong, title);
    writeln!(out, "\n{start} {title} {rule}")
}

/// `text` in lines of at most `width` columns; the first starts with `lead`, the others are indented as much.
pub(super) fn paragraph(
    lead: &str,
    text: &str,
    width: usize,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    painted_paragraph(lead, Cow::Borrowed(lead), text, width, out)
}

/// Like [`paragraph`], with the lead as it is to be written.
pub(super) fn painted_paragraph(
    lead: &str,
    painted: Cow<'_, str>,
    text: &str,
    width: usize,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let indent = lead.chars().count();
    let mut line = painted.into_owned();
    let mut used = indent;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if used > indent {
            if used + 1 + length > width {
                writeln!(out, "{line}")?;
                line = " ".repeat(indent);
                used = indent;
            } else {
                line.push(' ');
                used += 1;
            }
        }
        line.push_str(word);
        used += length;
    }
    writeln!(out, "{line}")
}

/// `name` in at most `width` characters: inner parts of a path make place for a `…`, the last ones stay.
///
/// Returns the name unchanged if it fits; the start of its last part is cut if even that is too long.
pub(super) fn fit(name: &str, width: usize) -> String {
    if name.chars().count() <= width {
        return name.to_owned();
    }
    let parts = segments(name);
    let last = |count: usize| parts[parts.len() - count..].join("::");
    let with_crate = (2..parts.len().saturating_sub(1)).rev();
    let with_crate = with_crate.map(|count| format!("{}::…::{}", parts[0], last(count)));
    let without_crate = (1..parts.len())
        .rev()
        .map(|count| format!("…::{}", last(count)));
    let mut shorter = with_crate.chain(without_crate);
    if let Some(shorter) = shorter.find(|shorter| shorter.chars().count() <= width) {
        return shorter;
    }
    let kept = width.saturating_sub(1);
    let tail: String = name
        .chars()
        .skip(name.chars().count().saturating_sub(kept))
        .collect();
    format!("…{tail}")
}

/// The end of a `file:line` in at most `width` columns: inner folders make place for a `…`.
pub(super) fn fit_place(place: &str, width: usize) -> String {
    let length = place.chars().count();
    if length <= width {
        return place.to_owned();
    }
    let tail: String = place.chars().skip(length + 1 - width.max(1)).collect();
    match tail.find(['/', '\\']) {
        Some(at) => format!("…{}", &tail[at..]),
        None => format!("…{tail}"),
    }
}

/// Half the width of the 95 % interval of an estimate in bytes: `± 1.20 MiB`, or `exact`.
pub(super) fn error(estimate: &Estimate) -> String {
    let error = estimate.bytes_error_95();
    if error == 0.0 {
        "exact".to_owned()
    } else {
        format!("± {}", units::bytes(error))
    }
}

/// A bar of `width` columns for a share of 1, in eighths of a column. Anything above zero is visible.
pub(crate) fn bar(share: f64, width: usize) -> String {
    if share.is_nan() || share <= 0.0 {
        return String::new();
    }
    let eighths = ((share.min(1.0) * width as f64 * 8.0).round() as usize).max(1);
    let mut bar = "█".repeat(eighths / 8);
    if let Some(rest) = (eighths % 8).checked_sub(1) {
        bar.push(['▏', '▎', '▍', '▌', '▋', '▊', '▉'][rest]);
    }
    bar
}

/// A column with a bar for `share`, a space in front of it; empty where there is no room for bars.
pub(super) fn bar_column(share: f64, options: &Options<'_>) -> String {
    let width = options.bar_width();
    if width == 0 {
        return String::new();
    }
    let bar = bar(share, width);
    let padding = " ".repeat(width - bar.chars().count());
    format!(" {}{padding}", options.paint.ink(Ink::Bar, &bar))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_keep_their_width_and_their_indent() {
        let mut out = Vec::new();
        paragraph("  * ", "one two three four five", 12, &mut out).expect("a Vec takes it");
        assert_eq!(
            String::from_utf8_lossy(&out),
            "  * one two\n    three\n    four\n    five\n"
        );
    }

    #[test]
    fn places_keep_their_end() {
        assert_eq!(fit_place("src/main.rs:12", 20), "src/main.rs:12");
        assert_eq!(
            fit_place("/home/me/work/my_app/src/main.rs:12", 22),
            "…/src/main.rs:12"
        );
        assert_eq!(fit_place("averyveryverylongname.rs:12", 10), "…ame.rs:12");
    }

    #[test]
    fn long_names_lose_their_middle_first() {
        let name = "my_app::server::http::Connection::read_request";
        assert_eq!(fit(name, 80), name);
        assert_eq!(fit(name, 41), "my_app::…::http::Connection::read_request");
        assert_eq!(fit(name, 40), "my_app::…::Connection::read_request");
        assert_eq!(fit(name, 30), "…::Connection::read_request");
        assert_eq!(fit(name, 18), "…::read_request");
        assert_eq!(fit(name, 8), "…request");
        assert_eq!(fit("a_single_long_name", 6), "…_name");
        for width in 1..60 {
            assert!(fit(name, width).chars().count() <= width, "{width}");
        }
    }

    #[test]
    fn bars_stay_within_their_width_for_any_number() {
        assert_eq!(bar(1.0, 4), "████");
        assert_eq!(bar(0.5, 3), "█▌");
        assert_eq!(bar(1e-9, 4), "▏");
        for share in [f64::NAN, f64::NEG_INFINITY, -1.0, 0.0] {
            assert_eq!(bar(share, 4), "");
        }
        assert_eq!(bar(f64::INFINITY, 4), "████");
    }
}

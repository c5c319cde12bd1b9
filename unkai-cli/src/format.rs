//! The formats that a profile can be written in: one table, which everything else is made from.

use std::io;
use std::path::Path;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use unkai_report::{Report, Value, folded, json, text};

/// A format.
#[derive(Debug)]
pub(crate) struct Format {
    /// What `--to` calls it.
    pub(crate) name: &'static str,
    /// How the names of such files end, in lower case.
    pub(crate) endings: &'static [&'static str],
    /// What it is for.
    pub(crate) purpose: &'static str,
    /// Whether it is something else than text.
    pub(crate) is_binary: bool,
    /// Whether `--value` says what it shows, or shows first.
    pub(crate) takes_value: bool,
    /// Whether it can show what changed between two profiles.
    pub(crate) shows_changes: bool,
    pub(crate) write: fn(&Subject<'_>, &mut dyn io::Write) -> io::Result<()>,
}

/// What is to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    /// A profile, or what changed between two.
    pub(crate) report: &'a Report,
    /// For formats that show one value.
    pub(crate) value: Value,
    /// How text is laid out.
    pub(crate) text: text::Options<'a>,
}

/// For people, in a terminal.
pub(crate) const TEXT: Format = Format {
    name: "text",
    endings: &[".txt"],
    purpose: "For people: a report for a terminal",
    is_binary: false,
    takes_value: false,
    shows_changes: true,
    write: |subject, mut out| text::write(subject.report, &subject.text, &mut out),
};

/// For flame graph tools.
const FOLDED: Format = Format {
    name: "folded",
    endings: &[".folded", ".folded.txt"],
    purpose: "For flame graph tools: a line for each call stack",
    is_binary: false,
    takes_value: true,
    shows_changes: true,
    write: |subject, mut out| {
        let options = folded::Options::new().value(subject.value);
        folded::write(subject.report, &options, &mut out)
    },
};

/// What this tool reads.
const JSON: Format = Format {
    name: "json",
    endings: &[".json"],
    purpose: "For programs, this one too: all there is to know",
    is_binary: false,
    takes_value: false,
    shows_changes: true,
    write: |subject, mut out| json::write(subject.report, &json::Options::new(), &mut out),
};

/// All formats, those for people first.
pub(crate) const FORMATS: &[Format] = &[TEXT, FOLDED, JSON];

impl Format {
    /// The format whose files are called like `path`: the one with the longest ending that fits.
    pub(crate) fn of_file(path: &Path) -> Option<&'static Self> {
        let name = path.file_name()?.to_string_lossy().to_lowercase();
        let fitting = |format: &Format| {
            let endings = format.endings.iter();
            endings
                .filter(|ending| name.ends_with(*ending))
                .map(|ending| ending.len())
                .max()
        };
        let formats = FORMATS
            .iter()
            .filter_map(|format| Some((fitting(format)?, format)));
        Some(formats.max_by_key(|(length, _)| *length)?.1)
    }

    /// Reads the name of a format from the command line.
    pub(crate) fn parser() -> impl TypedValueParser<Value = &'static Self> {
        let values = FORMATS
            .iter()
            .map(|format| PossibleValue::new(format.name).help(format.purpose));
        PossibleValuesParser::new(values).try_map(|name| {
            let format = FORMATS.iter().find(|format| format.name == name);
            format.ok_or("there is no such format")
        })
    }
}

/// The names of some formats: `text, json or folded`.
pub(crate) fn names(which: impl Fn(&Format) -> bool) -> String {
    let formats = FORMATS.iter().filter(|format| which(format));
    let names: Vec<&str> = formats.map(|format| format.name).collect();
    match names.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => names.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_ending_tells_the_format() {
        for (path, expected) in [
            ("heap.txt", Some("text")),
            ("a.b/HEAP.TXT", Some("text")),
            ("heap.folded", Some("folded")),
            ("heap.folded.txt", Some("folded")),
            ("heap.json", Some("json")),
            ("heap", None),
            ("heap.txt/", Some("text")),
            ("heap.gif", None),
            ("..", None),
            ("", None),
        ] {
            let format = Format::of_file(Path::new(path));
            assert_eq!(format.map(|format| format.name), expected, "{path}");
        }
    }

    #[test]
    fn no_two_formats_share_a_name_or_an_ending() {
        let mut known = std::collections::HashSet::new();
        for format in FORMATS {
            assert!(known.insert(format.name), "{}", format.name);
            for ending in format.endings {
                assert!(ending.starts_with('.') && *ending == ending.to_lowercase());
                assert!(known.insert(ending), "{ending}");
            }
        }
    }
}

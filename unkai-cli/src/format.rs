//! The formats that a profile can be written in: one table, which everything else is made from.

use std::io;
use std::path::Path;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use unkai_report::{
    Report, Value, dhat, flamegraph, folded, html, json, pprof, prometheus, speedscope, text,
};

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
    /// The two profiles, the earlier one first, if this is what changed between them.
    pub(crate) between: Option<[&'a Report; 2]>,
    /// Where it comes from, for titles.
    pub(crate) name: &'a str,
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

/// For people, in a browser.
const HTML: Format = Format {
    name: "html",
    endings: &[".html", ".htm"],
    purpose: "For people: a page for a browser, of one file",
    is_binary: false,
    takes_value: false,
    shows_changes: true,
    write: |subject, mut out| {
        let options = html::Options::new().title(subject.name);
        html::write(subject.report, &options, &mut out)
    },
};

/// A flame graph.
const SVG: Format = Format {
    name: "svg",
    endings: &[".svg"],
    purpose: "For people: a flame graph for a browser",
    is_binary: false,
    takes_value: true,
    shows_changes: true,
    write: |subject, mut out| {
        let options = flamegraph::Options::new().value(subject.value);
        match subject.between {
            Some([earlier, later]) => flamegraph::write_change(earlier, later, &options, &mut out),
            None => flamegraph::write(subject.report, &options, &mut out),
        }
    },
};

/// What Go's tools made a standard.
const PPROF: Format = Format {
    name: "pprof",
    endings: &[".pb.gz", ".pprof"],
    purpose: "For go tool pprof, Pyroscope, Parca: gzip",
    is_binary: true,
    takes_value: true,
    shows_changes: true,
    write: |subject, mut out| {
        let options = pprof::Options::new().default_value(subject.value);
        pprof::write(subject.report, &options, &mut out)
    },
};

/// For the viewer of Valgrind's heap profiler.
const DHAT: Format = Format {
    name: "dhat",
    endings: &[".dhat", ".dhat.json"],
    purpose: "For DHAT's viewer, dh_view.html",
    is_binary: false,
    takes_value: false,
    shows_changes: true,
    write: |subject, mut out| dhat::write(subject.report, &dhat::Options::new(), &mut out),
};

/// For the web page of this name.
const SPEEDSCOPE: Format = Format {
    name: "speedscope",
    endings: &[".speedscope", ".speedscope.json"],
    purpose: "For speedscope.app",
    is_binary: false,
    takes_value: true,
    shows_changes: true,
    write: |subject, mut out| {
        let options = speedscope::Options::new().value(subject.value);
        speedscope::write(subject.report, &options, &mut out)
    },
};

/// For monitoring.
const PROMETHEUS: Format = Format {
    name: "prometheus",
    endings: &[".prom"],
    purpose: "For Prometheus: metrics as OpenMetrics text",
    is_binary: false,
    takes_value: false,
    shows_changes: false,
    write: |subject, mut out| {
        prometheus::write(subject.report, &prometheus::Options::new(), &mut out)
    },
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
pub(crate) const FORMATS: &[Format] = &[
    TEXT, HTML, SVG, PPROF, DHAT, SPEEDSCOPE, FOLDED, PROMETHEUS, JSON,
];

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
            ("heap.dhat.json", Some("dhat")),
            ("heap.speedscope.json", Some("speedscope")),
            ("heap.pb.gz", Some("pprof")),
            ("heap.gz", None),
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

//! The formats that a report can be written in.

use std::error::Error;
use std::str::FromStr;
use std::{fmt, io};

#[cfg(feature = "flamegraph")]
use unkai_report::flamegraph;
#[cfg(feature = "pprof")]
use unkai_report::pprof;
use unkai_report::{Report, dhat, folded, html, json, speedscope, text};

/// A format of [`Reports`](crate::Reports), with that format's default options.
///
/// ```
/// use unkai_watch::Format;
///
/// let format: Format = "folded".parse()?;
/// assert_eq!(format, Format::Folded);
/// assert_eq!(format.extension(), "folded");
/// # Ok::<(), unkai_watch::UnknownFormat>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// For people, in a browser: one page with everything. The default.
    #[default]
    Html,
    /// For programs, and for the tool `unkai`: all there is to know.
    Json,
    /// For people, in a terminal.
    Text,
    /// For flame graph tools: a line for each call stack.
    Folded,
    /// For DHAT's viewer.
    Dhat,
    /// For speedscope.
    Speedscope,
    /// For `go tool pprof`, Pyroscope, Parca and others.
    #[cfg(feature = "pprof")]
    Pprof,
    /// For people, in a browser: a flame graph as SVG.
    #[cfg(feature = "flamegraph")]
    Flamegraph,
}

impl Format {
    /// All formats that this build has.
    pub const ALL: &[Self] = &[
        Self::Html,
        Self::Json,
        Self::Text,
        Self::Folded,
        Self::Dhat,
        Self::Speedscope,
        #[cfg(feature = "pprof")]
        Self::Pprof,
        #[cfg(feature = "flamegraph")]
        Self::Flamegraph,
    ];

    /// What the format is called, as the tool `unkai` calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Json => "json",
            Self::Text => "text",
            Self::Folded => "folded",
            Self::Dhat => "dhat",
            Self::Speedscope => "speedscope",
            #[cfg(feature = "pprof")]
            Self::Pprof => "pprof",
            #[cfg(feature = "flamegraph")]
            Self::Flamegraph => "svg",
        }
    }

    /// How the names of such files end, without the first dot: what viewers and the tool `unkai` know them by.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Json => "json",
            Self::Text => "txt",
            Self::Folded => "folded",
            Self::Dhat => "dhat.json",
            Self::Speedscope => "speedscope.json",
            #[cfg(feature = "pprof")]
            Self::Pprof => "pb.gz",
            #[cfg(feature = "flamegraph")]
            Self::Flamegraph => "svg",
        }
    }

    /// Writes `report` in this format.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(self, report: &Report, mut out: impl io::Write) -> io::Result<()> {
        let out = &mut out;
        match self {
            Self::Html => html::write(report, &html::Options::new(), out),
            Self::Json => json::write(report, &json::Options::new(), out),
            Self::Text => text::write(report, &text::Options::new(), out),
            Self::Folded => folded::write(report, &folded::Options::new(), out),
            Self::Dhat => dhat::write(report, &dhat::Options::new(), out),
            Self::Speedscope => speedscope::write(report, &speedscope::Options::new(), out),
            #[cfg(feature = "pprof")]
            Self::Pprof => pprof::write(report, &pprof::Options::new(), out),
            #[cfg(feature = "flamegraph")]
            Self::Flamegraph => flamegraph::write(report, &flamegraph::Options::new(), out),
        }
    }
}

/// How the names of reports end, those too that another build of the program has left.
pub(crate) const EXTENSIONS: [&str; 8] = [
    "html",
    "json",
    "txt",
    "folded",
    "dhat.json",
    "speedscope.json",
    "pb.gz",
    "svg",
];

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// By [name](Format::name) or [extension](Format::extension), in any case.
impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        let is_meant = |format: &&Self| {
            [format.name(), format.extension()]
                .iter()
                .any(|known| known.eq_ignore_ascii_case(text))
        };
        let found = Self::ALL.iter().find(is_meant).copied();
        found.ok_or_else(|| UnknownFormat {
            text: text.to_owned(),
        })
    }
}

/// Some text is not the name of a [`Format`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownFormat {
    text: String,
}

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no format {:?} in this build: say ", self.text)?;
        for (at, format) in Format::ALL.iter().enumerate() {
            let between = match at {
                0 => "",
                _ if at + 1 == Format::ALL.len() => " or ",
                _ => ", ",
            };
            write!(f, "{between}{format}")?;
        }
        Ok(())
    }
}

impl Error for UnknownFormat {}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use unkai_core::Snapshot;

    use super::*;

    #[test]
    fn every_format_is_found_by_its_name_and_by_its_extension() {
        for &format in Format::ALL {
            assert_eq!(format.name().parse(), Ok(format));
            assert_eq!(format.extension().to_uppercase().parse(), Ok(format));
            assert!(EXTENSIONS.contains(&format.extension()));
        }
    }

    #[test]
    fn an_unknown_format_is_told_what_there_is() {
        let error = "excel".parse::<Format>().expect_err("no such format");
        let text = error.to_string();
        assert!(
            text.starts_with(
                "there is no format \"excel\" in this build: say html, json, text, folded, dhat"
            ),
            "{text}"
        );
    }

    #[test]
    fn every_format_writes_a_report_of_nothing() {
        let report = Report::without_names(Snapshot::empty(SystemTime::UNIX_EPOCH));
        for &format in Format::ALL {
            let mut out = Vec::new();
            format.write(&report, &mut out).expect("a Vec takes it");
            let may_be_empty = format == Format::Folded;
            assert!(may_be_empty || !out.is_empty(), "{format}");
        }
    }
}

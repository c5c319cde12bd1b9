//! What a request asks for, or why it cannot be understood.

use std::fmt;
use std::time::Duration;

use super::Settings;
use super::document::Document;

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Document(Document),
    /// Another path, relative to this one.
    Moved(&'static str),
    /// Where `go tool pprof` asks for names that a profile does not have. There are none but in profiles.
    NoMoreNames,
}

impl Place {
    pub(super) fn of(path: &str) -> Option<Self> {
        let document = DOCUMENTS.iter().find(|(known, _)| *known == path);
        match (document, path) {
            (Some(&(_, document)), _) => Some(Self::Document(document)),
            (_, "/debug/pprof/symbol") => Some(Self::NoMoreNames),
            (_, "/debug/pprof") => Some(Self::Moved("pprof/")),
            (_, "/debug/unkai") => Some(Self::Moved("unkai/")),
            (_, "/" | "") => Some(Self::Moved("debug/pprof/")),
            _ => None,
        }
    }
}

/// A document as a request wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) document: Document,
    /// What happened within so long, instead of what is.
    pub(super) window: Option<Duration>,
    /// As text, in place of a profile.
    pub(super) is_text: bool,
    pub(super) names: Names,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// Addresses only.
    None,
    /// What is known, and what may be looked up if it is time to.
    Known,
    /// All, because somebody waits for them.
    All,
}

impl Asked {
    pub(super) fn of(
        document: Document,
        query: &str,
        settings: &Settings,
    ) -> Result<Self, BadRequest> {
        let mut asked = Self {
            document,
            window: None,
            is_text: false,
            names: Names::Known,
        };
        if !document.has_parameters() {
            return Ok(asked);
        }
        // Of a parameter that is given twice, the first counts, as with Go.
        let value = |name: &str| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            pairs.find(|(key, _)| key == name).map(|(_, value)| value)
        };
        if let Some(debug) = value("debug").filter(|_| document.is_pprof()) {
            let number: Result<i64, _> = debug.parse();
            asked.is_text = number.map_err(|_| BadRequest::Debug(Shown::of(&debug)))? != 0;
        }
        if let Some(seconds) = value("seconds") {
            if asked.is_text {
                return Err(BadRequest::SecondsWithDebug);
            }
            let most = settings.max_seconds;
            let seconds = match seconds.parse() {
                Ok(seconds @ 1..) if seconds <= most => seconds,
                _ => return Err(BadRequest::Seconds(Shown::of(&seconds), most)),
            };
            asked.window = Some(Duration::from_secs(seconds));
        }
        // Whole profiles are what servers fetch again and again; the others are for somebody who waits for them.
        let is_fetched_often = document.is_pprof() && !asked.is_text && asked.window.is_none();
        asked.names = match value("names").as_deref() {
            Some("none") => Names::None,
            Some("all") => Names::All,
            Some(other) => return Err(BadRequest::Names(Shown::of(other))),
            None if !settings.has_names => Names::None,
            None if is_fetched_often => Names::Known,
            None => Names::All,
        };
        Ok(asked)
    }
}

/// A value of a parameter that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BadRequest {
    /// What it was, and how many may be asked for.
    Seconds(Shown, u64),
    SecondsWithDebug,
    Debug(Shown),
    Names(Shown),
}

impl fmt::Display for BadRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seconds(value, most) => write!(
                f,
                "seconds={value} cannot be done: it must be a whole number from 1 to {most}"
            ),
            Self::SecondsWithDebug => f.write_str(
                "seconds and debug do not go together: leave out debug for the profile of a time, \
                 or seconds for the text of now",
            ),
            Self::Debug(value) => write!(
                f,
                "debug={value} is no number: 1 gives the report as text, 0 or none the profile"
            ),
            Self::Names(value) => write!(
                f,
                "names={value} is not known: it may be none, for addresses only, or all"
            ),
        }
    }
}

impl std::error::Error for BadRequest {}

/// The beginning of a value, without characters that act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown(String);

impl Shown {
    fn of(value: &str) -> Self {
        let mut shown: String = value.chars().take(LONGEST_SHOWN).collect();
        if shown.len() < value.len() {
            shown.push('…');
        }
        Self(shown.escape_debug().to_string())
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const LONGEST_SHOWN: usize = 40;

/// Every path that has an answer of its own.
pub(super) const DOCUMENTS: [(&str, Document); 7] = [
    ("/debug/pprof/", Document::Index),
    ("/debug/pprof/heap", Document::Heap),
    ("/debug/pprof/allocs", Document::Allocs),
    ("/debug/unkai/", Document::Page),
    ("/debug/unkai/heap.json", Document::Json),
    ("/debug/unkai/heap.folded", Document::Folded),
    ("/metrics", Document::Metrics),
];

#[cfg(test)]
mod tests {
    use super::super::Endpoint;
    use super::*;

    fn asked(document: Document, query: &str) -> Result<Asked, BadRequest> {
        Asked::of(document, query, &Endpoint::new().settings)
    }

    fn heap(query: &str) -> Result<Asked, BadRequest> {
        asked(Document::Heap, query)
    }

    #[test]
    fn seconds_are_a_whole_number_within_bounds() {
        let window =
            |query: &str| heap(query).map(|asked| asked.window.map(|window| window.as_secs()));
        assert_eq!(window("seconds=1"), Ok(Some(1)));
        assert_eq!(window("gc=1&seconds=300&x=y"), Ok(Some(300)));
        assert_eq!(window("seconds=5&seconds=no"), Ok(Some(5)), "the first");
        assert_eq!(window("%73econds=5"), Ok(Some(5)));
        assert_eq!(window("second=5&&=&;"), Ok(None));
        let bad = [
            "0",
            "-1",
            "abc",
            "1e9",
            "301",
            "",
            "5.5",
            "%205",
            "18446744073709551616",
        ];
        for bad in bad {
            let query = format!("seconds={bad}");
            let error = window(&query).expect_err(bad);
            assert!(error.to_string().contains("from 1 to 300"), "{error}");
        }
    }

    #[test]
    fn debug_is_text_and_does_not_go_with_seconds() {
        let is_text = |query| heap(query).map(|asked| asked.is_text);
        assert_eq!(is_text(""), Ok(false));
        assert_eq!(is_text("debug=0"), Ok(false));
        assert_eq!(is_text("debug=1"), Ok(true));
        assert_eq!(is_text("debug=2&gc=yes"), Ok(true));
        assert_eq!(is_text("debug=0&seconds=3"), Ok(false));
        assert_eq!(heap("debug=1&seconds=3"), Err(BadRequest::SecondsWithDebug));
        assert!(heap("debug=yes").is_err());
    }

    #[test]
    fn metrics_ignore_every_parameter() {
        assert!(asked(Document::Metrics, "seconds=0&names=x&debug=x").is_ok());
        assert!(asked(Document::Page, "debug=x").is_ok());
        assert!(asked(Document::Page, "seconds=0").is_err());
    }

    #[test]
    fn names_are_looked_up_at_once_only_for_who_waits() {
        let names = |query| heap(query).map(|asked| asked.names);
        assert_eq!(names(""), Ok(Names::Known));
        assert_eq!(names("seconds=2"), Ok(Names::All));
        assert_eq!(names("debug=1"), Ok(Names::All));
        let page = asked(Document::Page, "").map(|asked| asked.names);
        assert_eq!(page, Ok(Names::All));
        assert_eq!(names("seconds=2&names=none"), Ok(Names::None));
        assert_eq!(names("names=all"), Ok(Names::All));
        assert!(names("names=").is_err());
        let without = Endpoint::new().names(false);
        let asked = Asked::of(Document::Heap, "seconds=2", &without.settings);
        assert_eq!(asked.map(|asked| asked.names), Ok(Names::None));
    }

    #[test]
    fn what_was_asked_is_shown_short_and_harmless() {
        let long = "x".repeat(10_000) + "\u{1b}";
        assert_eq!(
            Shown::of(&long).to_string().chars().count(),
            LONGEST_SHOWN + 1
        );
        assert_eq!(Shown::of("\u{1b}[31m\n").to_string(), "\\u{1b}[31m\\n");
    }
}

//! The names of the files that this crate leaves behind, and how it knows them again.
//!
//! ```text
//! unkai-20261122T235959.123Z-4711-rss.html              a report
//! unkai-dump-20261122T235959.123Z-4711-oom.json         a dump
//! .unkai-20261122T235959.123Z-4711-rss.html.tmp         either of them while it is written
//! ```
//!
//! Names sort by time. What has no name that [`FileName`] could have made is not ours, and stays.

#[cfg(all(unkai_internals, target_os = "linux"))]
pub(crate) mod internals;

#[cfg(target_os = "linux")]
use std::ffi::CStr;
use std::fmt;
use std::time::Duration;

use crate::format;
use crate::stamp::{self, Stamp};

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Report,
    Dump,
}

impl Kind {
    const fn prefix(self) -> &'static [u8] {
        match self {
            Self::Report => b"unkai-",
            Self::Dump => b"unkai-dump-",
        }
    }

    /// How the names of such files end.
    const fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Report => &format::EXTENSIONS,
            Self::Dump => &["json"],
        }
    }

    /// Whether `name` is that of a whole file of this kind, of any process.
    pub(crate) fn names(self, name: &[u8]) -> bool {
        self.stamp_of(name).is_some()
    }

    /// Whether `name` is that of a file of this kind which is still written, or was when its process died.
    pub(crate) fn names_temporary(self, name: &[u8]) -> bool {
        self.stamp_of_temporary(name).is_some()
    }

    /// Whether `name` is that of such a file, and was made longer than `time` ago.
    pub(crate) fn names_older_temporary(self, name: &[u8], time: Duration) -> bool {
        self.stamp_of_temporary(name)
            .is_some_and(|stamp| stamp < Stamp::ago(time))
    }

    fn stamp_of_temporary(self, name: &[u8]) -> Option<Stamp> {
        let name = name.strip_prefix(b".")?.strip_suffix(TEMPORARY)?;
        self.stamp_of(name)
    }

    fn stamp_of(self, name: &[u8]) -> Option<Stamp> {
        let name = name.strip_prefix(self.prefix())?;
        let (stamp, name) = name.split_at_checked(stamp::LENGTH)?;
        let name = name.strip_prefix(b"-")?;
        let (process, name) = name.split_at(name.iter().position(|&byte| byte == b'-')?);
        let fits = is_process(process) && self.ends_as_ours(&name[1..]);
        Stamp::read(stamp).filter(|_| fits)
    }

    /// Whether `name` is what somebody calls a file, and an extension.
    fn ends_as_ours(self, name: &[u8]) -> bool {
        self.extensions().iter().any(|extension| {
            let name = name.strip_suffix(extension.as_bytes());
            name.and_then(|name| name.strip_suffix(b"."))
                .is_some_and(|name| {
                    (1..=LONGEST_NAME).contains(&name.len())
                        && name.iter().all(|&byte| is_harmless(char::from(byte)))
                })
        })
    }
}

/// Whether `text` is the number of a process as it is written: without a sign, and no zero in front.
fn is_process(text: &[u8]) -> bool {
    let number = str::from_utf8(text).ok().map(str::parse::<u32>);
    matches!(number, Some(Ok(_))) && (matches!(text, [b'1'..=b'9', ..]) || text == b"0")
}

/// Whether it stands in a name as it is.
fn is_harmless(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-')
}

/// The name of a file, with a zero at its end. Making one allocates nothing.
#[derive(Clone, Copy)]
pub(crate) struct FileName {
    /// Invariant: the first `length` bytes are visible ASCII, all others zero; one of them at least.
    bytes: [u8; ROOM],
    length: usize,
}

impl FileName {
    /// A name that no file of this machine's other processes has, and none that this process was given before.
    ///
    /// Of `name`, 100 characters are kept; in place of those that are not letters, digits, `.`, `_` or `-` stands `_`.
    pub(crate) fn new(kind: Kind, name: &str, extension: &str) -> Self {
        Self::of(kind, Stamp::next(), std::process::id(), name, extension)
    }

    fn of(kind: Kind, stamp: Stamp, process: u32, name: &str, extension: &str) -> Self {
        let mut new = Self::EMPTY;
        new.push(kind.prefix());
        new.push(&stamp.text());
        new.push(b"-");
        new.push_number(process);
        new.push(b"-");
        for character in name.chars().take(LONGEST_NAME) {
            let harmless = Some(character).filter(|&character| is_harmless(character));
            new.push(&[harmless.unwrap_or('_') as u8]);
        }
        if name.is_empty() {
            new.push(b"_");
        }
        new.push(b".");
        new.push(extension.as_bytes());
        new
    }

    /// What the file is called until it is whole.
    pub(crate) fn temporary(&self) -> Self {
        let mut temporary = Self::EMPTY;
        temporary.push(b".");
        temporary.push(self.as_str().as_bytes());
        temporary.push(TEMPORARY);
        temporary
    }

    /// A name that was read from a directory; `None` if it is longer than any of ours.
    #[cfg(target_os = "linux")]
    pub(crate) fn read(name: &[u8]) -> Option<Self> {
        let mut read = Self::EMPTY;
        (name.is_ascii() && name.len() < ROOM).then(|| read.push(name))?;
        Some(read)
    }

    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }

    /// Adds as much of `bytes` as there is room for.
    fn push(&mut self, bytes: &[u8]) {
        let free = &mut self.bytes[self.length..ROOM - 1];
        let taken = bytes.len().min(free.len());
        free[..taken].copy_from_slice(&bytes[..taken]);
        self.length += taken;
    }

    fn push_number(&mut self, number: u32) {
        let mut digits = [0; 10];
        let (mut first, mut rest) = (digits.len(), number);
        loop {
            first -= 1;
            digits[first] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.push(&digits[first..]);
    }

    const EMPTY: Self = Self {
        bytes: [0; ROOM],
        length: 0,
    };
}

impl fmt::Debug for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

const TEMPORARY: &[u8] = b".tmp";
/// Characters that are kept of what the user calls a report.
const LONGEST_NAME: usize = 100;
/// Systems take names of 255 bytes.
const ROOM: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_again_with_their_kind_and_nothing_else_is() {
        let own = std::process::id();
        for (kind, other) in [(Kind::Report, Kind::Dump), (Kind::Dump, Kind::Report)] {
            for name in [
                "rss",
                "",
                "..",
                "-1-",
                "a.b",
                "käse/../x\0\n",
                &"x".repeat(400),
            ] {
                let file = FileName::new(kind, name, "json");
                let (text, temporary) = (file.as_str(), file.temporary());
                assert!(text.contains(&format!("Z-{own}-")), "{text}");
                assert!(kind.names(text.as_bytes()) && !other.names(text.as_bytes()));
                assert!(kind.names_temporary(temporary.as_str().as_bytes()));
                assert!(!kind.names(temporary.as_str().as_bytes()));
                assert!(!kind.names_temporary(text.as_bytes()));
                let harmless = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
                assert!(text.chars().all(harmless), "{text}");
                assert!(temporary.as_str().len() < 200 && temporary.as_str().ends_with("json.tmp"));
            }
        }
    }

    #[test]
    fn files_of_others_are_not_ours() {
        for name in [
            "unkai",
            "unkai-",
            "unkai-notes.txt",
            "unkai-20261122T235959.123Z",
            "unkai-20261122T235959.123Z-",
            "unkai-20261122T235959.123Z--rss.html",
            "unkai-20261122T235959.123Z-12",
            "unkai-20261122T235959.123Z-12-",
            "unkai-20261122T235959.123Z-12rss.html",
            "unkai-20261122T235959_123Z-12-rss.html",
            "copy of unkai-20261122T235959.123Z-12-rss.html",
            "unkai-20261122T235959.123Z-12-rss.html.bak",
            "unkai-20261122T235959.123Z-12-rss (copy).html",
            "unkai-20261122T235959.123Z-12-rß.html",
            "unkai-20261122T235959.123Z-12-.html",
            "unkai-20261122T235959.123Z-12-html",
            "unkai-20261122T235959.123Z-012-rss.html",
            "unkai-20261122T235959.123Z-+12-rss.html",
            "unkai-20261122T235959.123Z-4294967296-rss.html",
            "unkai-20260229T235959.123Z-12-rss.html",
            "unkai-dump-00000000T000000.000Z-12-rss.json",
            "unkai-dump-20261122T235959.123Z-12-rss.html",
            &format!("unkai-20261122T235959.123Z-12-{}.html", "x".repeat(101)),
        ] {
            for kind in [Kind::Report, Kind::Dump] {
                assert!(!kind.names(name.as_bytes()), "{name}");
            }
        }
        assert!(Kind::Report.names(b"unkai-20261122T235959.123Z-12-rss.html"));
    }
}

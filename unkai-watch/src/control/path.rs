//! The path of a report, with what is filled in when it is written.

use std::path::PathBuf;

use super::words::{list, quoted};
use crate::Format;

/// A path with `%p`, `%t` and `%%`, and the format that its end names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReportPath {
    template: String,
    pub(super) format: Format,
}

impl ReportPath {
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut rest = text;
        while let Some(at) = rest.find('%') {
            let mut following = rest[at + 1..].chars();
            if !matches!(following.next(), Some('p' | 't' | '%')) {
                return Err(
                    "after `%` expected `p` for the process, `t` for the time or `%`".to_owned(),
                );
            }
            rest = following.as_str();
        }
        Ok(Self {
            template: text.to_owned(),
            format: format_of(text)?,
        })
    }

    /// The path of a report of process `pid` at the moment `time`.
    pub(super) fn fill_in(&self, pid: u32, time: &str) -> PathBuf {
        let mut parts = self.template.split('%');
        let mut path = parts.next().unwrap_or_default().to_owned();
        while let Some(part) = parts.next() {
            match part.chars().next() {
                Some('p') => path += &format!("{pid}{}", &part[1..]),
                Some('t') => path += &format!("{time}{}", &part[1..]),
                // Nothing stands between the two signs of `%%`.
                _ => {
                    path.push('%');
                    path += parts.next().unwrap_or_default();
                }
            }
        }
        path.into()
    }
}

/// The format whose extension `path` ends in: the longest of those that fit.
fn format_of(path: &str) -> Result<Format, String> {
    let file = path.rsplit(['/', std::path::MAIN_SEPARATOR]).next();
    let mut extensions = file.unwrap_or_default();
    while let Some((_, after)) = extensions.split_once('.') {
        if let Ok(format) = after.parse() {
            return Ok(format);
        }
        extensions = after;
    }
    let known: Vec<String> = Format::ALL
        .iter()
        .map(|format| format!(".{}", format.extension()))
        .collect();
    let known = list(known.iter().map(String::as_str), "or");
    let file = quoted(file.unwrap_or_default());
    Err(format!(
        "{file} must end in {known}: that says in which format"
    ))
}

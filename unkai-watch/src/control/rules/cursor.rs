//! A place in the text of rules, and the steps that a grammar takes from there.

use super::error::{RulesError, RulesProblem};
use crate::control::amount::is_unit;

/// Walks through a text from left to right. Every step leaves out white space before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    /// A boundary of a character of `text`.
    at: usize,
}

/// A part of the text, and where it begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Whether nothing follows.
    pub(super) fn is_at_end(&mut self) -> bool {
        self.rest().is_empty()
    }

    /// Goes past `sign` if it stands here.
    pub(super) fn takes(&mut self, sign: &str) -> bool {
        let is_here = self.rest().starts_with(sign);
        if is_here {
            self.at += sign.len();
        }
        is_here
    }

    /// Goes past a word: a letter, then letters, digits, `_`, and `-` or `.` before one of them. Empty if there is none.
    pub(super) fn word(&mut self) -> Piece<'a> {
        let rest = self.rest();
        let belongs = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let mut end = 0;
        if rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            end = length(rest, belongs);
            // A hyphen belongs to a word, an arrow does not.
            while let Some(part) = rest[end..].strip_prefix(['-', '.']) {
                match length(part, belongs) {
                    0 => break,
                    more => end += 1 + more,
                }
            }
        }
        self.take(end)
    }

    /// Goes past a number and its unit, up to white space or a sign of the grammar. Empty if there is none.
    pub(super) fn amount(&mut self) -> Piece<'a> {
        let ends = |c: char| {
            c.is_whitespace() || matches!(c, ';' | ',' | '(' | ')' | '<' | '>' | '-' | ':')
        };
        let rest = self.rest();
        let number = length(rest, |c| c.is_ascii_digit() || c == '.');
        let unit = &rest[number..];
        // `2 GiB` is one amount too; `2 clear` is not.
        let gap = unit.len() - unit.trim_start().len();
        let name = &unit[gap..gap + length(&unit[gap..], |c| !ends(c))];
        let unit = match gap {
            0 => name.len(),
            _ if number > 0 && is_unit(name) => gap + name.len(),
            _ => 0,
        };
        self.take(number + unit)
    }

    /// What is wrong at `piece`.
    pub(super) fn wrong(&self, piece: Piece<'_>, problem: RulesProblem) -> RulesError {
        RulesError::new(self.text, piece.at, piece.text, problem)
    }

    /// Something else should stand here.
    pub(super) fn expected(&self, expected: impl Into<String>) -> RulesError {
        let found = self.found();
        let problem = RulesProblem::Expected {
            expected: expected.into(),
            found: found.text.to_owned(),
        };
        self.wrong(found, problem)
    }

    /// What stands here, for a message: a word, an amount or a single character; empty at the end.
    fn found(&self) -> Piece<'a> {
        let mut ahead = *self;
        let word = ahead.word();
        if !word.text.is_empty() {
            return word;
        }
        let amount = ahead.amount();
        if !amount.text.is_empty() {
            return amount;
        }
        let length = ahead.rest().chars().next().map_or(0, char::len_utf8);
        ahead.take(length)
    }

    /// What follows, from the next character on that is no white space.
    fn rest(&mut self) -> &'a str {
        let rest = self.text[self.at..].trim_start();
        self.at = self.text.len() - rest.len();
        rest
    }

    fn take(&mut self, length: usize) -> Piece<'a> {
        let at = self.at;
        self.at += length;
        Piece {
            text: &self.text[at..self.at],
            at,
        }
    }
}

/// Bytes of the longest start of `text` that holds such characters only.
fn length(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

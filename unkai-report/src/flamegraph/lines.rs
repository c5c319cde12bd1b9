//! Folded stacks, as inferno reads them.

use std::collections::BTreeMap;

use crate::folded::{self, escape};
use crate::report::Report;
use crate::shown::Step;
use crate::value::Value;

/// Lines `outermost;…;innermost width`, or with two numbers, whose second is the width and whose difference decides on the
/// colour; sorted by the names of functions.
#[derive(Debug)]
pub(super) struct Lines {
    lines: Vec<String>,
    /// What the earlier report has in stacks that have no width in the later one.
    pub(super) gone: f64,
}

impl Lines {
    /// As wide as `value`.
    pub(super) fn of(report: &Report, value: Value) -> Self {
        let widths = stacks(report, value).into_iter();
        Self::new(widths.map(|(stack, width)| (stack, None, width)), 0.0)
    }

    /// As wide as `value` has grown or shrunk.
    pub(super) fn of_growth(report: &Report, value: Value) -> Self {
        let changes = stacks(report, value).into_iter();
        let line = |(stack, change): (String, f64)| {
            let width = change.abs();
            (stack, Some(width - change), width)
        };
        Self::new(changes.map(line), 0.0)
    }

    /// As wide as `value` is in `later`.
    pub(super) fn of_change(earlier: &Report, later: &Report, value: Value) -> Self {
        let mut pairs: BTreeMap<String, (f64, f64)> = BTreeMap::new();
        for (stack, before) in stacks(earlier, value) {
            pairs.entry(stack).or_default().0 = before;
        }
        for (stack, after) in stacks(later, value) {
            pairs.entry(stack).or_default().1 = after;
        }
        let gone = pairs.values().filter(|(_, after)| after.round() == 0.0);
        let gone = gone.map(|(before, _)| before).sum();
        let line = |(stack, (before, after))| (stack, Some(before), after);
        Self::new(pairs.into_iter().map(line), gone)
    }

    fn new(stacks: impl Iterator<Item = (String, Option<f64>, f64)>, gone: f64) -> Self {
        let mut stacks: Vec<_> = stacks.collect();
        stacks.sort_by(|(a, ..), (b, ..)| a.split(';').cmp(b.split(';')));
        let mut room = WIDEST;
        let mut lines = Vec::with_capacity(stacks.len());
        for (stack, before, width) in stacks {
            // Makes zero of what is negative or not a number.
            let width = (width.round() as u64).min(room);
            room -= width;
            if width == 0 {
                continue;
            }
            lines.push(match before {
                Some(before) => {
                    let before = (before.round() as u64).min(2 * WIDEST);
                    format!("{stack} {before} {width}")
                }
                None => format!("{stack} {width}"),
            });
        }
        Self { lines, gone }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// From the last to the first.
    pub(super) fn last_to_first(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().rev().map(String::as_str)
    }
}

fn stacks(report: &Report, value: Value) -> BTreeMap<String, f64> {
    folded::stacks(report, value, |step: &Step<'_, '_>| {
        name(&step.short_name())
    })
}

/// `name`, such that inferno and XML take it for a name and nothing else.
///
/// Inferno takes a number behind the last space of a stack for a value, and lines that start with `# ` for comments. A
/// space that does not break stands there then; others stay, for who searches for them.
pub(super) fn name(name: &str) -> String {
    let name = valid(&escape(name));
    let name = name.trim();
    let is_number = |word: &str| word.chars().all(|c| c.is_ascii_digit() || c == '.');
    match name.rsplit_once(' ') {
        None if name.is_empty() => "?".to_owned(),
        Some((before, word)) if is_number(word) => format!("{before}\u{a0}{word}"),
        _ if name.starts_with("# ") => name.replacen(' ', "\u{a0}", 1),
        _ => name.to_owned(),
    }
}

/// `text` without the two characters that are none: XML forbids them.
pub(super) fn valid(text: &str) -> String {
    text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

/// The width of all lines together at most, as far as inferno and browsers count without error: 8 PiB. What is beyond is
/// not drawn.
const WIDEST: u64 = 1 << 53;

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(stacks: &[(&str, Option<f64>, f64)]) -> Vec<String> {
        let stacks = stacks.iter();
        let stacks = stacks.map(|(stack, before, width)| ((*stack).to_owned(), *before, *width));
        Lines::new(stacks, 0.0).lines
    }

    #[test]
    fn stacks_are_sorted_by_functions_and_not_by_characters() {
        let sorted = lines(&[("a;c", None, 1.0), ("a::b", None, 1.0), ("a", None, 1.0)]);
        assert_eq!(sorted, ["a 1", "a;c 1", "a::b 1"]);
    }

    #[test]
    fn odd_numbers_have_no_width_and_huge_ones_a_limit() {
        let all = lines(&[
            ("a", None, -5.0),
            ("b", Some(f64::NAN), f64::NAN),
            ("c", Some(f64::INFINITY), 7.4),
            ("d", None, f64::INFINITY),
            ("e", None, 1.0),
        ]);
        let limit = 1_u64 << 53;
        let expected = [format!("c {} 7", 2 * limit), format!("d {}", limit - 7)];
        assert_eq!(all, expected);
    }

    #[test]
    fn a_name_is_never_a_value_a_comment_or_nothing() {
        for (name_in, name_out) in [
            ("a b 7", "a b\u{a0}7"),
            ("a 7.", "a\u{a0}7."),
            ("a 7b", "a 7b"),
            ("# a b", "#\u{a0}a b"),
            (" a ", "a"),
            (" ", "?"),
            ("a;b", "a:b"),
            ("\u{ffff}\u{fffe}", "\u{fffd}\u{fffd}"),
        ] {
            assert_eq!(name(name_in), name_out);
        }
    }
}

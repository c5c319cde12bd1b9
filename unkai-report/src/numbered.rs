//! Call stacks as lists of numbers, for formats that keep each frame once in a table.

use std::collections::BTreeMap;
use std::hash::Hash;

use foldhash::HashMap;
use unkai_core::Site;

use crate::report::Report;
use crate::shown::{Step, shown_path};

/// Distinct things by number, in the order in which they were met.
#[derive(Debug)]
pub(crate) struct Numbers<K> {
    numbers: HashMap<K, usize>,
}

impl<K: Eq + Hash> Numbers<K> {
    pub(crate) fn new() -> Self {
        Self {
            numbers: HashMap::default(),
        }
    }

    /// The number of `thing`; `add` is called first if it is new.
    pub(crate) fn of(&mut self, thing: K, add: impl FnOnce()) -> usize {
        let next = self.numbers.len();
        *self.numbers.entry(thing).or_insert_with(|| {
            add();
            next
        })
    }
}

/// The sites of `report` by their shown stack, as numbers from the outermost frame to the innermost; sites with the same
/// stack are summed by `add`. Sorted by stack.
pub(crate) fn stacks<'a, T: Default>(
    report: &'a Report,
    mut number_of: impl FnMut(&Step<'_, 'a>) -> usize,
    mut add: impl FnMut(&mut T, &Site),
) -> BTreeMap<Vec<usize>, T> {
    let mut stacks: BTreeMap<Vec<usize>, T> = BTreeMap::new();
    for site in &report.snapshot().sites {
        let frames = report.call_stack(site);
        let stack = shown_path(site, &frames).map(|step| number_of(&step));
        add(stacks.entry(stack.collect()).or_default(), site);
    }
    stacks
}

/// Makes integers of a sequence of estimates: each is less than one off, and their sum at most one half.
///
/// What is negative or not a number counts as zero.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rounding {
    exact: f64,
    given: u64,
}

impl Rounding {
    pub(crate) fn next(&mut self, value: f64) -> u64 {
        self.exact += value.max(0.0);
        let before = self.given;
        self.given = self.exact.round() as u64;
        self.given - before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounded_parts_make_the_rounded_whole() {
        let mut rounding = Rounding::default();
        let parts = [0.4, 0.4, 0.0, 0.4, -7.0, f64::NAN, 2.5, 1e3];
        assert_eq!(
            parts.map(|part| rounding.next(part)),
            [0, 1, 0, 0, 0, 0, 3, 1000]
        );
        assert_eq!(rounding.next(f64::INFINITY), u64::MAX - 1004);
        assert_eq!(rounding.next(1.0), 0);
    }
}

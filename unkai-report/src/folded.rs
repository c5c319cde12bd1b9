//! Folded stacks: one line for each distinct call stack, the input of flame graph tools.
//!
//! ```text
//! my_app::main;my_app::index::add;alloc::string::String::clone 8388608
//! ```
//!
//! Frames stand from the outermost to the innermost, then a space and the value. Frames of the allocator and of the
//! runtime are left out, as in the text report; those of the standard library stay.

use std::collections::BTreeMap;
use std::io;

use unkai_core::aside;

use crate::report::Report;
use crate::shown::{Step, shown_path};
use crate::value::Value;

/// What to write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    value: Value,
}

impl Options {
    /// Live bytes.
    pub const fn new() -> Self {
        Self {
            value: Value::LiveBytes,
        }
    }

    /// Writes `value` instead.
    #[must_use]
    pub const fn value(mut self, value: Value) -> Self {
        self.value = value;
        self
    }
}

/// Writes `report` as folded stacks, sorted by name.
///
/// Values are rounded to integers. Stacks whose value rounds to zero are left out, and those that shrank in a
/// difference of two snapshots: the format has no negative values. `;` in a name becomes `:`.
///
/// # Errors
/// Those of `out`.
///
/// ```
/// use std::time::SystemTime;
/// use unkai_core::{Site, Snapshot};
/// use unkai_report::{Report, folded};
///
/// let mut snapshot = Snapshot::empty(SystemTime::now());
/// let mut site = Site::new(2, vec![0x1234, 0x5678]);
/// site.live.bytes = 42.3;
/// snapshot.sites.push(site);
///
/// let mut out = Vec::new();
/// folded::write(&Report::without_names(snapshot), &folded::Options::new(), &mut out)?;
/// assert_eq!(out, b"0x5678;0x1234 42\n");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn write(report: &Report, options: &Options, out: &mut impl io::Write) -> io::Result<()> {
    aside(|| write_lines(report, options, out))
}

fn write_lines(report: &Report, options: &Options, out: &mut impl io::Write) -> io::Result<()> {
    for (stack, value) in stacks(report, options.value, |step| escape(&step.name())) {
        let value = value.round();
        // Not a number is not greater than zero either.
        if value > 0.0 {
            writeln!(out, "{stack} {}", value as u64)?;
        }
    }
    Ok(())
}

/// The sum of `value` for each distinct stack of names, joined by `;`, which must not be in what `name` returns.
pub(crate) fn stacks(
    report: &Report,
    value: Value,
    name: impl Fn(&Step<'_, '_>) -> String,
) -> BTreeMap<String, f64> {
    let mut stacks: BTreeMap<String, f64> = BTreeMap::new();
    for site in &report.snapshot().sites {
        let frames = report.call_stack(site);
        let names: Vec<String> = shown_path(site, &frames).map(|step| name(&step)).collect();
        *stacks.entry(names.join(";")).or_default() += value.of(site);
    }
    stacks
}

/// `name` without the separator.
pub(crate) fn escape(name: &str) -> String {
    name.replace(';', ":")
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use unkai_core::{Site, Snapshot};

    use super::*;
    use crate::symbols::Symbols;

    fn folded(sites: &[(&[u64], f64)], options: Options) -> String {
        let symbols = Symbols::of_names([
            (1, "my_app::f::<[u8; 4]>"),
            (2, "my_app::\nmain"),
            (3, "_start"),
        ]);
        let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
        for (id, (stack, value)) in (2..).zip(sites) {
            let mut site = Site::new(id, stack.to_vec());
            site.live.bytes = *value;
            site.allocated.blocks = *value * 10.0;
            snapshot.sites.push(site);
        }
        let mut out = Vec::new();
        write(&Report::from_parts(snapshot, symbols), &options, &mut out).expect("a Vec takes it");
        String::from_utf8(out).expect("names are UTF-8")
    }

    #[test]
    fn separators_in_names_are_replaced_and_equal_stacks_are_summed() {
        let text = folded(&[(&[1, 2, 3], 1.4), (&[1, 2], 1.4)], Options::new());
        assert_eq!(text, "my_app::\u{fffd}main;my_app::f::<[u8: 4]> 3\n");
    }

    #[test]
    fn values_that_round_to_zero_or_below_are_left_out() {
        let sites: [(&[u64], f64); 4] = [(&[1], 0.4), (&[2], -5.0), (&[7], f64::NAN), (&[8], 0.5)];
        assert_eq!(folded(&sites, Options::new()), "0x8 1\n");
        assert_eq!(
            folded(&sites, Options::new().value(Value::AllocatedBlocks)),
            "0x8 5\nmy_app::f::<[u8: 4]> 4\n"
        );
    }
}

//! The words over a flame graph.

use std::io;

use super::lines::valid;
use crate::report::Report;
use crate::units::{duration, moment, plural};
use crate::value::Value;
use crate::words::warnings::warnings;

/// Two lines, and the unit of numbers.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) title: String,
    pub(super) subtitle: String,
    pub(super) unit: &'static str,
    /// Why there is no box.
    nothing: String,
}

impl Head {
    /// Of a graph of one report.
    pub(super) fn of(report: &Report, value: Value) -> Self {
        let snapshot = report.snapshot();
        let sum = value.sum(snapshot);
        let is_growth = snapshot.window.is_some() && value.is_level();
        let sign = |number: f64| if is_growth && number > 0.0 { "+" } else { "" };
        let title = if is_growth {
            let (name, sign) = (value.name(), sign(value.number(&sum)));
            format!("Change of {name}: {sign}{}", value.words_of_sum(&sum))
        } else {
            format!(
                "{}: {}",
                capitalised(value.name()),
                value.words_of_sum(&sum)
            )
        };
        let mut parts = vec![taken(report)];
        if let Some(window) = snapshot.window {
            parts.push(format!("change over {}", duration(window)));
        }
        if is_growth {
            parts.push("red grew, blue shrank".to_owned());
        }
        if let Some(exact) = value.exact_total(&snapshot.totals) {
            parts.push(format!("exact total {}{}", sign(exact), value.words(exact)));
        }
        parts.extend(warned(warnings(report).len()));
        Self {
            title,
            subtitle: parts.join(" · "),
            unit: unit(value),
            nothing: nothing(report, value),
        }
    }

    /// Of a graph of what changed; `gone` is what of the earlier report has no width.
    pub(super) fn of_change(earlier: &Report, later: &Report, value: Value, gone: f64) -> Self {
        let before = value.words_of_sum(&value.sum(earlier.snapshot()));
        let after = value.words_of_sum(&value.sum(later.snapshot()));
        let since = moment(earlier.snapshot().taken_at);
        let mut parts = vec![
            format!("{}, since {since}", taken(later)),
            "red grew, blue shrank".to_owned(),
        ];
        // Less is not worth a word, and zero after rounding.
        if gone >= 1.0 {
            let gone = value.words(gone);
            parts.push(format!("{gone} in call stacks that are gone: no width"));
        }
        parts.extend(warned(warnings(earlier).len() + warnings(later).len()));
        Self {
            title: format!("{}: {before} → {after}", capitalised(value.name())),
            subtitle: parts.join(" · "),
            unit: unit(value),
            nothing: nothing(later, value),
        }
    }

    /// Writes an SVG of these words alone.
    pub(super) fn write_alone(&self, out: &mut impl io::Write) -> io::Result<()> {
        writeln!(
            out,
            "<?xml version=\"1.0\" standalone=\"no\"?>\n\
             <svg version=\"1.1\" width=\"1200\" height=\"120\" viewBox=\"0 0 1200 120\" \
             xmlns=\"http://www.w3.org/2000/svg\">\n\
             <rect width=\"1200\" height=\"120\" fill=\"white\"/>\n\
             <g font-family=\"monospace\" font-size=\"12\" text-anchor=\"middle\">\n\
             <text x=\"600\" y=\"24\" font-size=\"17\">{}</text>\n\
             <text x=\"600\" y=\"48\">{}</text>\n\
             <text x=\"600\" y=\"90\">{}</text>\n\
             </g>\n\
             </svg>",
            escape(&self.title),
            escape(&self.subtitle),
            escape(&self.nothing),
        )
    }
}

/// `search, taken 2025-11-22 10:20:31 UTC`.
fn taken(report: &Report) -> String {
    let taken_at = moment(report.snapshot().taken_at);
    match report.modules().program_name() {
        Some(program) => format!("{}, taken {taken_at}", valid(program)),
        None => format!("taken {taken_at}"),
    }
}

fn warned(warnings: usize) -> Option<String> {
    let warnings = (warnings > 0).then(|| plural(warnings as u64, "warning"))?;
    Some(format!("{warnings}: see the text report"))
}

fn nothing(report: &Report, value: Value) -> String {
    if report.snapshot().sites.is_empty() {
        "There is no sample yet: nothing to draw.".to_owned()
    } else {
        format!("No sample has {}: nothing to draw.", value.name())
    }
}

fn unit(value: Value) -> &'static str {
    if value.is_bytes() { "bytes" } else { "blocks" }
}

fn capitalised(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

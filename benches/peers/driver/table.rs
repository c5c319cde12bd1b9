//! Tables for a terminal, or for a page in Markdown.

use std::io::{self, Write};

/// Figures by subject and column.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) head: Vec<String>,
    pub(crate) sections: Vec<Section>,
    /// What the columns mean.
    pub(crate) legend: Vec<String>,
}

/// Rows that belong together.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) title: &'static str,
    pub(crate) rows: Vec<(String, Vec<String>)>,
}

impl Table {
    /// A row, in the section of this title, which follows all others if it is new.
    pub(crate) fn row(&mut self, section: &'static str, name: String, cells: Vec<String>) {
        let row = (name, cells);
        match self.sections.last_mut() {
            Some(last) if last.title == section => last.rows.push(row),
            _ => self.sections.push(Section {
                title: section,
                rows: vec![row],
            }),
        }
    }

    pub(crate) fn write(&self, markdown: bool, out: &mut impl Write) -> io::Result<()> {
        if markdown {
            self.write_markdown(out)
        } else {
            self.write_text(out)
        }
    }

    fn write_text(&self, out: &mut impl Write) -> io::Result<()> {
        let rows = || self.sections.iter().flat_map(|section| &section.rows);
        let names = rows().map(|(name, _)| width(name) + 2);
        let titles = self.sections.iter().map(|section| width(section.title));
        let name_width = names.chain(titles).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.head.len())
            .map(|column| {
                let cells = rows().map(|(_, cells)| width(&cells[column]));
                cells.chain([width(&self.head[column])]).max().unwrap_or(0)
            })
            .collect();
        let line = |out: &mut dyn Write, name: &str, cells: &[String]| -> io::Result<()> {
            write!(out, "{name:name_width$} ")?;
            for (cell, width) in cells.iter().zip(&widths) {
                write!(out, "  {cell:>width$}")?;
            }
            writeln!(out)
        };
        let all = name_width + 1 + widths.iter().map(|width| width + 2).sum::<usize>();

        writeln!(out, "\n{}\n", self.title)?;
        line(out, "", &self.head)?;
        for section in &self.sections {
            writeln!(out, "{}", "─".repeat(all))?;
            writeln!(out, "{}", section.title)?;
            for (name, cells) in &section.rows {
                line(out, &format!("  {name}"), cells)?;
            }
        }
        writeln!(out, "{}", "─".repeat(all))?;
        self.legend
            .iter()
            .try_for_each(|line| writeln!(out, "  {line}"))
    }

    fn write_markdown(&self, out: &mut impl Write) -> io::Result<()> {
        let line = |out: &mut dyn Write, name: &str, cells: &[String]| {
            writeln!(out, "| {name} | {} |", cells.join(" | "))
        };
        writeln!(out, "\n### {}\n", self.title)?;
        line(out, "", &self.head)?;
        writeln!(out, "|---|{}", "---:|".repeat(self.head.len()))?;
        for section in &self.sections {
            let empty = vec![String::new(); self.head.len()];
            line(out, &format!("**{}**", section.title), &empty)?;
            for (name, cells) in &section.rows {
                line(out, name, cells)?;
            }
        }
        writeln!(out)?;
        self.legend
            .iter()
            .try_for_each(|line| writeln!(out, "* {line}"))
    }
}

/// A ratio with as many digits as mean something; a dash for what could not be measured.
pub(crate) fn ratio(ratio: Option<f64>) -> String {
    match ratio {
        None => "—".to_owned(),
        Some(ratio) if ratio < 9.995 => format!("{ratio:.2}"),
        Some(ratio) if ratio < 99.95 => format!("{ratio:.1}"),
        Some(ratio) => format!("{ratio:.0}"),
    }
}

/// A time in three digits.
pub(crate) fn time(seconds: Option<f64>) -> String {
    let Some(seconds) = seconds else {
        return "—".to_owned();
    };
    match seconds * 1e9 {
        nanoseconds if nanoseconds < 99.95 => format!("{nanoseconds:.1} ns"),
        nanoseconds if nanoseconds < 999.5 => format!("{nanoseconds:.0} ns"),
        nanoseconds if nanoseconds < 99.95e3 => format!("{:.1} µs", nanoseconds / 1e3),
        nanoseconds if nanoseconds < 999.5e3 => format!("{:.0} µs", nanoseconds / 1e3),
        nanoseconds => format!("{:.1} ms", nanoseconds / 1e6),
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

//! What to write and where: the arguments that `convert` and `diff` share.

use std::path::{Path, PathBuf};

use clap::Args;
use unkai_report::{Report, Value, text};

use crate::failure::Failure;
use crate::format::{Format, Subject, names};
use crate::input;
use crate::output::Output;
use crate::terminal::Layout;
use crate::value::ValueName;

/// The arguments.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// The format [default: what the name of FILE ends with]
    #[arg(long, value_name = "FORMAT", value_parser = Format::parser())]
    to: Option<&'static Format>,
    /// Where to write it [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What to show, or to show first [default: live]
    #[arg(long)]
    value: Option<ValueName>,
    #[command(flatten)]
    layout: Layout,
}

/// What the arguments say, when they make sense together.
#[derive(Debug)]
pub(crate) struct Plan {
    format: &'static Format,
    output: Output,
    value: Value,
    text: text::Options<'static>,
}

impl Target {
    /// Looks for contradictions before anything is read. `usual` is the format for standard output.
    pub(crate) fn plan(
        &self,
        inputs: &[&Path],
        usual: Option<&'static Format>,
    ) -> Result<Plan, Failure> {
        let output = Output::of(self.output.as_deref());
        let format = match (self.to, &output) {
            (Some(format), _) => format,
            (None, Output::File(path)) => Format::of_file(path).ok_or_else(|| {
                Failure::Usage(format!(
                    "the name {} does not tell a format: say --to {}",
                    input::name(path),
                    names(|_| true)
                ))
            })?,
            (None, Output::Standard) => usual.ok_or_else(|| {
                Failure::Usage(format!(
                    "which format? say --to {}, or -o FILE with an ending that tells",
                    names(|_| true)
                ))
            })?,
        };
        if self.value.is_some() && !format.takes_value {
            return Err(Failure::Usage(format!(
                "the format {} shows all values alike: --value is for {}",
                format.name,
                names(|format| format.takes_value)
            )));
        }
        if format.is_binary && output.is_terminal() {
            return Err(Failure::Usage(format!(
                "the format {} is no text and would garble the terminal: say -o FILE",
                format.name
            )));
        }
        for input in inputs {
            output.refuse_to_replace(input)?;
        }
        Ok(Plan {
            format,
            value: self.value.map_or(Value::LiveBytes, Value::from),
            text: self.layout.text(&output),
            output,
        })
    }
}

impl Plan {
    /// Writes `report`, which is called `name`, and shows what changed `between` two others if these are given.
    pub(crate) fn put(
        &self,
        report: &Report,
        name: &str,
        between: Option<[&Report; 2]>,
    ) -> Result<(), Failure> {
        if report.snapshot().window.is_some() && !self.format.shows_changes {
            return Err(Failure::Usage(format!(
                "the format {} cannot show what changed: take {}",
                self.format.name,
                names(|format| format.shows_changes)
            )));
        }
        let subject = Subject {
            report,
            between,
            name,
            value: self.value,
            text: self.text,
        };
        self.output.put(|out| (self.format.write)(&subject, out))
    }
}

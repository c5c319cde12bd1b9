//! `unkai scopes`: a saved tree of scopes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use unkai_report::scopes::{prometheus, text};

use crate::arguments::examples;
use crate::failure::Failure;
use crate::input;
use crate::output::Output;
use crate::terminal;

/// Show a tree of scopes, with their limits, that was saved as JSON
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// What unkai_report::scopes::json::write wrote; "-" is standard input
    tree: PathBuf,
    /// The format [default: text]
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        hide_default_value = true
    )]
    to: Format,
    /// Where to write it [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Columns of text, 80 to 400 [default: those of the terminal, else 100]
    #[arg(long, value_name = "COLUMNS")]
    width: Option<usize>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people: a line for each scope
    Text,
    /// For Prometheus: metrics as OpenMetrics text
    Prometheus,
}

const EXAMPLES: &str = examples!(
    "  unkai scopes scopes.json
  unkai scopes scopes.json --to prometheus -o /var/lib/node_exporter/unkai.prom"
);

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let output = Output::of(arguments.output.as_deref());
    output.refuse_to_replace(&arguments.tree)?;
    let tree = input::scopes(&arguments.tree)?;
    let options = terminal::scopes(arguments.width, &output);
    output.put(|mut out| match arguments.to {
        Format::Text => text::write_record(&tree, &options, &mut out),
        Format::Prometheus => {
            prometheus::write_record(&tree, &prometheus::Options::new(), &mut out)
        }
    })
}

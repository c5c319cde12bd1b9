//! `unkai top`: the sites with the most of something.

use std::path::PathBuf;

use clap::Args;
use unkai_report::text;

use crate::arguments::examples;
use crate::failure::Failure;

use crate::input;
use crate::output::Output;
use crate::terminal::Layout;
use crate::value::ValueName;

/// Show the places in the program that hold or allocated most
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The profile; "-" is standard input
    profile: PathBuf,
    /// Places to show at most; the others are summed up [default: 20]
    #[arg(
        short = 'n',
        long = "number",
        value_name = "N",
        default_value_t = 20,
        hide_default_value = true
    )]
    number: usize,
    /// What to rank them by [default: live]
    #[arg(
        long,
        value_name = "VALUE",
        default_value = "live",
        hide_default_value = true
    )]
    by: ValueName,
    #[command(flatten)]
    layout: Layout,
}

const EXAMPLES: &str = examples!(
    "  unkai top heap.json
  unkai top heap.json --by peak -n 5
  unkai top heap.json --by allocated-blocks"
);

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let report = input::profile(&arguments.profile)?;
    let output = Output::Standard;
    let options = arguments.layout.text(&output).top_sites(arguments.number);
    let value = arguments.by.into();
    output.put(|mut out| text::write_top(&report, value, &options, &mut out))
}

//! `unkai report`: everything, as text.

use std::path::PathBuf;

use clap::Args;
use unkai_report::text;

use crate::arguments::examples;
use crate::failure::Failure;
use crate::input;
use crate::output::Output;
use crate::terminal::Layout;

/// Show a whole profile: totals, top sites, call tree, lifetimes, losses
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The profile; "-" is standard input
    profile: PathBuf,
    /// Sites in each table at most [default: 10]
    #[arg(
        short = 'n',
        long = "number",
        value_name = "N",
        default_value_t = 10,
        hide_default_value = true
    )]
    number: usize,
    /// Leave out of the call tree what has a smaller share [default: 1]
    #[arg(long, value_name = "PERCENT", default_value = "1", hide_default_value = true, value_parser = percent)]
    min_share: f64,
    #[command(flatten)]
    layout: Layout,
}

const EXAMPLES: &str = examples!(
    "  unkai report heap.json | less
  unkai report heap.json --width 160 -n 30 --min-share 0.1"
);

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let report = input::profile(&arguments.profile)?;
    let output = Output::Standard;
    let options = arguments
        .layout
        .text(&output)
        .top_sites(arguments.number)
        .min_share(arguments.min_share / 100.0);
    output.put(|mut out| text::write(&report, &options, &mut out))
}

fn percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').trim_end().parse() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent),
        _ => Err("a number from 0 to 100 is expected".to_owned()),
    }
}

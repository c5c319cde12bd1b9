//! `unkai info`: what a profile is.

use std::path::PathBuf;

use clap::Args;
use unkai_report::text;

use crate::arguments::examples;
use crate::failure::Failure;
use crate::input;
use crate::output::Output;
use crate::terminal::Layout;

/// Say what a profile is: when it was taken, totals, sampling, troubles
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The profile; "-" is standard input
    profile: PathBuf,
    #[command(flatten)]
    layout: Layout,
}

const EXAMPLES: &str = examples!(
    "  unkai info heap.json
  curl -s http://localhost:9090/heap.json | unkai info -"
);

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let report = input::profile(&arguments.profile)?;
    let output = Output::Standard;
    let options = arguments.layout.text(&output);
    output.put(|mut out| text::write_summary(&report, &options, &mut out))
}

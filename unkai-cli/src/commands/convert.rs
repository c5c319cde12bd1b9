//! `unkai convert`: a profile in another format.

use std::path::PathBuf;

use clap::Args;

use crate::arguments::examples;
use crate::failure::Failure;
use crate::input;
use crate::target::Target;

/// Write a profile in another format
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The profile; "-" is standard input
    profile: PathBuf,
    #[command(flatten)]
    target: Target,
}

const EXAMPLES: &str = examples!(
    "  unkai convert heap.json -o heap.html
  unkai convert heap.json -o heap.svg --value allocated
  gunzip -c heap.json.gz | unkai convert - -o heap.json"
);

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let plan = arguments.target.plan(&[&arguments.profile], None)?;
    let report = input::profile(&arguments.profile)?;
    plan.put(&report, &input::name(&arguments.profile), None)
}

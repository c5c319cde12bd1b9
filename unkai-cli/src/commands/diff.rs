//! `unkai diff`: what changed between two profiles.

use std::path::PathBuf;

use clap::Args;
use unkai_report::Report;

use crate::arguments::examples;
use crate::failure::Failure;
use crate::format::TEXT;
use crate::input;
use crate::same_process;
use crate::target::Target;

/// Show what changed between two profiles of one process
///
/// What was allocated and freed is that of the time in between; what is live is shown as its growth. The result is text,
/// unless --to or -o says otherwise.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The first profile; "-" is standard input
    earlier: PathBuf,
    /// A later profile of the same process
    later: PathBuf,
    #[command(flatten)]
    target: Target,
}

const EXAMPLES: &str = examples!(
    "  unkai diff monday.json tuesday.json
  unkai diff monday.json tuesday.json -o growth.svg
  unkai diff monday.json tuesday.json --to json | unkai top - -n 5"
);

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let paths = [&arguments.earlier, &arguments.later].map(PathBuf::as_path);
    let plan = arguments.target.plan(&paths, Some(&TEXT))?;
    let reports = input::profiles(&paths)?;
    let names = paths.map(input::name);
    same_process::check(&reports, &names)?;
    let [earlier, later] = &reports[..] else {
        return Ok(());
    };
    let name = format!("{} since {}", names[1], names[0]);
    plan.put(&since(earlier, later), &name, Some([earlier, later]))
}

/// What changed, with the names that either of them has.
fn since(earlier: &Report, later: &Report) -> Report {
    let mut symbols = later.symbols().clone();
    symbols.add_missing(earlier.symbols());
    let change = later.snapshot().since(earlier.snapshot());
    Report::from_parts(change, symbols).with_modules(later.modules().clone())
}

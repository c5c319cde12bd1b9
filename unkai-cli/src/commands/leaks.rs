//! `unkai leaks`: places whose memory grows, or grows old.

use std::path::{Path, PathBuf};

use clap::Args;
use unkai_report::{Report, text};

use crate::arguments::examples;
use crate::failure::Failure;
use crate::input;
use crate::output::Output;
use crate::same_process;
use crate::terminal::Layout;

/// Show the places in the program that look like leaks, and why
///
/// The more profiles of the same process there are, the surer it is: a leak grows from each to the next. From one profile
/// alone, places are judged by how old their live blocks are. Whether any is found makes no difference to the exit code.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Profiles of one process, in any order; "-" is standard input
    #[arg(required = true, value_name = "PROFILE")]
    profiles: Vec<PathBuf>,
    #[command(flatten)]
    layout: Layout,
}

const EXAMPLES: &str = examples!(
    "  unkai leaks heap.json
  unkai leaks monday.json tuesday.json wednesday.json
  unkai leaks dumps/*.json"
);

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let paths: Vec<&Path> = arguments.profiles.iter().map(PathBuf::as_path).collect();
    let reports = input::profiles(&paths)?;
    let names = paths.into_iter().map(input::name);
    let mut named: Vec<(Report, String)> = reports.into_iter().zip(names).collect();
    // By a clock that nobody sets: the wall clock may jump.
    named.sort_by_key(|(report, _)| report.snapshot().uptime);
    let (mut reports, names): (Vec<_>, Vec<_>) = named.into_iter().unzip();
    same_process::check(&reports, &names)?;
    let Some(last) = reports.pop() else {
        return Ok(());
    };
    let earlier: Vec<_> = reports
        .into_iter()
        .map(|report| report.into_parts().0)
        .collect();
    let output = Output::Standard;
    let options = arguments.layout.text(&output).earlier(&earlier);
    output.put(|mut out| text::write_suspects(&last, &options, &mut out))
}

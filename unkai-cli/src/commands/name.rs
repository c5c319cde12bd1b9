//! `unkai name`: names for a profile that was saved without them.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use unkai_report::{json, offline};

use crate::arguments::examples;
use crate::failure::Failure;
use crate::input;
use crate::output::Output;
use crate::progress::Progress;

/// Find the names of functions for a profile that was saved without them
///
/// Looks into the files of the program that was profiled: those given first, then those at the paths where the program
/// was loaded from, then separate debug information in /usr/lib/debug. A file of another build is never used. Says on
/// standard error what has no name, and why.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The profile; "-" is standard input
    profile: PathBuf,
    /// The program, a library, or debug information of one; may be given several times
    #[arg(long = "file", value_name = "PATH")]
    files: Vec<PathBuf>,
    /// Look into the given files only
    #[arg(long)]
    no_search: bool,
    /// Where to write the profile with names; standard output without it. This may be the profile itself
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

const EXAMPLES: &str = examples!(
    "  unkai name heap.json -o heap.json
  unkai name heap.json --file ./server --file ./server.debug -o named.json
  unkai name heap.json | unkai top -"
);

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let report = input::profile(&arguments.profile)?;
    let mut options = offline::Options::new().search(!arguments.no_search);
    for file in &arguments.files {
        options = options.file(file);
    }
    let progress = Progress::begin("finding names".to_owned());
    let (report, outcome) = offline::name(report, &options);
    drop(progress);
    // There is nobody left to tell if this fails.
    let _ = write!(io::stderr(), "{outcome}");
    if outcome.addresses > 0 && outcome.named == 0 {
        let name = input::name(&arguments.profile);
        let message = format!("{name}: no name was found, and nothing is written");
        return Err(Failure::Failed(message));
    }
    let output = Output::of(arguments.output.as_deref());
    output.put(|mut out| json::write(&report, &json::Options::new(), &mut out))
}

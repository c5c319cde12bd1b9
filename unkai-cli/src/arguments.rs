//! The command line as a whole, and the help that all subcommands share.

use clap::{Parser, Subcommand};

use crate::commands::{convert, diff, info, leaks, name, report, scopes, top};
use crate::failure::Failure;

/// Reads heap profiles that unkai saved as JSON: says what is in them, compares them, and converts them to other formats.
#[derive(Debug, Parser)]
#[command(
    name = "unkai",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    after_help = AFTER_HELP,
    after_long_help = AFTER_LONG_HELP,
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Info(info::Arguments),
    Top(top::Arguments),
    #[command(visible_alias = "text")]
    Report(report::Arguments),
    Convert(convert::Arguments),
    Diff(diff::Arguments),
    Leaks(leaks::Arguments),
    Name(name::Arguments),
    Scopes(scopes::Arguments),
}

impl Command {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        match self {
            Self::Info(arguments) => info::run(arguments),
            Self::Top(arguments) => top::run(arguments),
            Self::Report(arguments) => report::run(arguments),
            Self::Convert(arguments) => convert::run(arguments),
            Self::Diff(arguments) => diff::run(arguments),
            Self::Leaks(arguments) => leaks::run(arguments),
            Self::Name(arguments) => name::run(arguments),
            Self::Scopes(arguments) => scopes::run(arguments),
        }
    }
}

const AFTER_HELP: &str = "'unkai COMMAND --help' has examples.";

// Each paragraph is one line: it is wrapped for the terminal.
const AFTER_LONG_HELP: &str = "\
'unkai COMMAND --help' has examples.

Profiles:
  A PROFILE is a file that unkai_report::json::write wrote in the program that was profiled. Names and addresses \
are in it: nothing else of that program or its machine is needed, but by 'unkai name'. \"-\" stands for standard input or output.

Output files:
  A file named by -o is written completely or not at all. A new one can be read by its owner only, because reports tell \
names and paths; one that is replaced stays as open as it was. The profile itself is never replaced, but by 'unkai name'.

Exit codes:
  0  done
  1  a file cannot be read, is damaged, or cannot be written
  2  the command line is wrong";

/// The end of a command's help.
macro_rules! examples {
    ($examples:literal) => {
        concat!(
            "Examples:\n",
            $examples,
            "\n\nExit codes: 0 done, 1 a file cannot be read or written, 2 wrong usage."
        )
    };
}
pub(crate) use examples;

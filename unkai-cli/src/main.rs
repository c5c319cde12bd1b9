//! `unkai`: reads saved heap profiles and says what is in them.
//!
//! ```text
//!  arguments ─▶ commands/* ─▶ input ─▶ unkai-report ─▶ output
//!                              read     decide, write    all or nothing
//! ```
//!
//! Each subcommand is a file of [`commands`]; each output format is an entry of [`format::FORMATS`].

mod arguments;
mod commands;
mod failure;
mod format;
mod input;
mod output;
mod progress;
mod same_process;
mod target;
mod terminal;
mod value;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = arguments::Arguments::parse();
    match arguments.command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

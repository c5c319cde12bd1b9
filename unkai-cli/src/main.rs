//! `unkai`: reads saved heap profiles and says what is in them.
//!
//! ```text
//!  arguments ─▶ commands/* ─▶ input ─▶ unkai-report ─▶ output
//!                              read     decide, write    all or nothing
//! ```
//!
//! Each subcommand is a file of [`commands`]; each output format is an entry of [`format::FORMATS`].

#![forbid(unsafe_code)]

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
    let arguments = match arguments::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return failure::tell_of_usage(&error),
    };
    match arguments.command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

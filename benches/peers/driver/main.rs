//! Measures unkai beside its peers, and prints four tables. `run.sh` builds everything and calls this; README.md says how
//! the measuring is done.
//!
//! ```text
//! compare [--rounds N] [--starts N] [--workloads A,B] [--subjects A,B] [--tables A,B] [--quick] [--markdown]
//! ```

mod check;
mod child;
mod every_block;
mod instructions;
mod machine;
mod memory;
mod notes;
mod options;
mod statistics;
mod subjects;
mod table;
mod times;
mod turns;

use std::io;
use std::process::ExitCode;

use notes::Notes;
use options::Options;
use subjects::Subject;
use table::Table;

fn main() -> ExitCode {
    let options = match Options::from_arguments() {
        Ok(options) => options,
        Err(usage) => {
            eprintln!("{usage}");
            return ExitCode::from(2);
        }
    };
    match compare(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

type Measurement = fn(&Options, &[Subject], &mut Notes) -> Table;

/// What can be asked for with `--tables`, and who measures it.
const TABLES: [(&str, Measurement); 4] = [
    ("times", times::table),
    ("memory", memory::table),
    ("instructions", instructions::table),
    ("every-block", every_block::table),
];

fn compare(options: &Options) -> io::Result<()> {
    let mut notes = Notes::default();
    let mut out = io::stdout().lock();
    machine::describe(options, &mut out)?;
    let subjects = check::usable(&subjects::sampled(), options, &mut notes);
    for (name, measure) in TABLES {
        if options.wants_table(name) {
            measure(options, &subjects, &mut notes).write(options.markdown, &mut out)?;
        }
    }
    notes.write(&mut out)
}

//! The command line of each program.

use std::process::ExitCode;

use crate::heap::{Heap, sample_from_here_on, totals_are_exact};
use crate::list::ALL;

/// `--list` prints each scenario with how it ends; `NAME INTERVAL` plays one, with one sample in so many bytes.
pub fn main(heap: &'static dyn Heap) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--list"] => {
            for scenario in ALL {
                println!("{} {}", scenario.name, scenario.ends);
            }
        }
        [name, interval] => {
            let Some(scenario) = ALL.iter().find(|scenario| scenario.name == name) else {
                eprintln!("there is no scenario `{name}`; --list names them all");
                return ExitCode::FAILURE;
            };
            let Ok(interval) = interval.parse() else {
                eprintln!("an interval is a number of bytes, not `{interval}`");
                return ExitCode::FAILURE;
            };
            sample_from_here_on(heap, interval);
            (scenario.play)(heap);
            totals_are_exact(heap, "at the end");
        }
        _ => {
            eprintln!("usage: --list | SCENARIO INTERVAL");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

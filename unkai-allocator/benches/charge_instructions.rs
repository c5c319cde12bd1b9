//! Pairs of a charge and an uncharge, to count the instructions of: `ci/limits.sh` runs them under callgrind.
//!
//! ```text
//! charge_instructions bare|DEPTH TIMES
//! ```
#![cfg_attr(feature = "nightly", feature(allocator_api))]

#[allow(dead_code, reason = "no bench uses all of it")]
mod subjects;

use std::process::ExitCode;

use subjects::{Nothing, Of, at_depth, pairs};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [which, times] = arguments.as_slice() else {
        println!("this bench is run by ci/limits.sh");
        return ExitCode::SUCCESS;
    };
    let Ok(times) = times.parse() else {
        return usage();
    };
    if which == "bare" {
        pairs(&Of(Nothing), times);
        return ExitCode::SUCCESS;
    }
    match which.parse() {
        Ok(depth @ 1..) => pairs(&at_depth(Of(Nothing), depth), times),
        _ => return usage(),
    }
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("usage: charge_instructions bare|DEPTH TIMES");
    ExitCode::from(2)
}

//! The `index_files` examples, whatever allocator they run over.
//!
//! | file | is |
//! |---|---|
//! | `options.rs` | what the command line asks for |
//! | `files.rs` | which files there are, and their texts |
//! | `index.rs` | where each word stands |
//! | `statistics.rs` | what is remembered of each file |
//! | `reports.rs` | the files that are left behind |
//! | `session.rs` | the work in order, and what the heap profiler is asked on the way |

mod files;
mod index;
mod options;
mod reports;
mod session;
mod statistics;

use std::io;
use std::process::ExitCode;

use unkai::UnkaiGlobalAlloc;

use options::Request;
use session::Failure;

pub(crate) use options::INTERVAL;

/// Runs the program and says how it went: 0 for well, 1 for no result, 2 for a command line that makes no sense.
pub(crate) fn main<A>(heap: &UnkaiGlobalAlloc<A>) -> ExitCode {
    let options = match options::parse(std::env::args_os().skip(1)) {
        Ok(Request::Run(options)) => options,
        Ok(Request::Help) => {
            print!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Err(message) => return misused(&message),
    };
    match session::run(heap, &options, &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output, `head` for instance, has seen enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(Failure::Output(error)) => failed(&format!("cannot print: {error}")),
        Err(Failure::Argument(message)) => misused(&message),
        Err(Failure::NoResult(message)) => failed(&message),
    }
}

fn misused(message: &str) -> ExitCode {
    eprintln!("index_files: {message}\nTry --help.");
    ExitCode::from(2)
}

fn failed(message: &str) -> ExitCode {
    eprintln!("index_files: {message}");
    ExitCode::FAILURE
}

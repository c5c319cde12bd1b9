//! A subject's process: it does what the driver asks for, a line at a time.
//!
//! ```text
//! cpus 1            run on these cores only, with all threads        ok
//! workload hot      prepare this workload                            ok
//! run 100000        so many operations of it                         nanoseconds
//! peak              the most memory that was resident so far         bytes
//! proof             whether the profiler really records              yes … | no …
//! ```
//!
//! Answers begin with `= `, so that the driver can tell them from what a profiler or launcher prints. Called with
//! `once WORKLOAD OPERATIONS`, a subject does just that and ends: so it can be put under a tool.

use std::fs;
use std::io::{self, BufRead, Write};
use std::process;
use std::time::Duration;

use crate::cores::bind;
use crate::workloads::{self, Run};

/// What a subject's profiler has to show for the work done so far, or why it has nothing.
pub type Proof = Result<String, String>;

/// The proof of a bare allocator.
pub fn nothing_to_record() -> Proof {
    Ok("records nothing".to_owned())
}

/// Serves the driver until it is gone, then ends the process, without running what a profiler would do at exit.
pub fn serve(proof: impl FnOnce() -> Proof) -> ! {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let code = match arguments.as_slice() {
        [] => match converse(proof) {
            Ok(()) => 0,
            Err(error) => {
                eprintln!("{error}");
                1
            }
        },
        [once, name, operations] if once == "once" => {
            let operations = operations.parse().expect("a number of operations");
            prepare(name).expect("a workload")(operations);
            0
        }
        _ => {
            eprintln!("this is run by the driver: see run.sh");
            2
        }
    };
    process::exit(code)
}

fn converse(proof: impl FnOnce() -> Proof) -> io::Result<()> {
    let mut proof = Some(proof);
    let mut run: Option<Run> = None;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let (request, argument) = line.split_once(' ').unwrap_or((&line, ""));
        let answer = match request {
            "cpus" => pin(argument).map(|()| "ok".to_owned())?,
            "workload" => {
                run = Some(prepare(argument)?);
                "ok".to_owned()
            }
            "run" => {
                let run = run.as_mut().ok_or_else(|| invalid("no workload"))?;
                let operations = argument.parse().map_err(|_| invalid(argument))?;
                slice(run, operations).as_nanos().to_string()
            }
            "peak" => peak_resident_bytes()?.to_string(),
            "proof" => {
                let proof = proof.take().ok_or_else(|| invalid("a second proof"))?;
                proof().map_or_else(|why| format!("no {why}"), |what| format!("yes {what}"))
            }
            _ => return Err(invalid(&line)),
        };
        let mut out = io::stdout().lock();
        writeln!(out, "= {answer}")?;
        out.flush()?;
    }
    Ok(())
}

fn prepare(name: &str) -> io::Result<Run> {
    let workload = workloads::find(name).ok_or_else(|| invalid(name))?;
    Ok((workload.prepare)())
}

/// One slice. Some operations before it, not timed, warm up what the processes before this one have cooled down.
fn slice(run: &mut Run, operations: u64) -> Duration {
    let before = operations / 8;
    if before > 0 {
        run(before);
    }
    run(operations)
}

/// Binds every thread of this process to these cores; threads to come inherit that.
fn pin(list: &str) -> io::Result<()> {
    let cores: Result<Vec<usize>, _> = list.split(',').map(str::parse).collect();
    let cores = cores.map_err(|_| invalid(list))?;
    for thread in fs::read_dir("/proc/self/task")? {
        let name = thread?.file_name();
        let thread = name.to_str().and_then(|name| name.parse().ok());
        bind(thread.ok_or_else(|| invalid("a thread's number"))?, &cores)?;
    }
    Ok(())
}

fn peak_resident_bytes() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes: Option<u64> =
        line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
    let kibibytes = kibibytes.ok_or_else(|| invalid("no VmHWM"))?;
    Ok(kibibytes << 10)
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what.to_owned())
}

//! Plays each scenario in a process of its own: over each allocator, with the default interval of sampling, with a dense one,
//! and with every block a sample.
//!
//! `UNKAI_SCENARIOS_FROM=DIR` takes the programs from there, as many as there are: from a build with other settings than the tests
//! have.
//! `UNKAI_SCENARIOS_TIMES=FILE` adds a line for each play to the file: scenario, allocator, interval and milliseconds.

use std::env;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use unkai_scenarios::scenario::Ends;

const PROGRAMS: [(&str, &str); 3] = [
    ("mimalloc", env!("CARGO_BIN_EXE_scenarios-mimalloc")),
    ("jemalloc", env!("CARGO_BIN_EXE_scenarios-jemalloc")),
    ("system", env!("CARGO_BIN_EXE_scenarios-system")),
];

/// Bytes for each sample: the default, a dense one, and every block.
const INTERVALS: [(&str, &str); 3] = [
    ("default", "524288"),
    ("dense", "4096"),
    ("every_block", "1"),
];

/// A scenario that takes longer hangs: the longest takes a minute, and ten times that on a machine that is busy otherwise.
const AT_MOST: Duration = Duration::from_secs(900);

fn main() {
    let arguments = Arguments::from_args();
    let from = env::var_os("UNKAI_SCENARIOS_FROM").map(PathBuf::from);
    let built_here = from.is_none();
    let mut trials = Vec::new();
    for (allocator, built) in PROGRAMS {
        let program = match &from {
            Some(folder) => folder.join(format!("scenarios-{allocator}")),
            None => PathBuf::from(built),
        };
        if !built_here && !program.exists() {
            continue;
        }
        for (scenario, ends) in scenarios(&program) {
            for (density, interval) in INTERVALS {
                let (program, name) = (program.clone(), scenario.clone());
                let trial = Trial::test(format!("{scenario}::{allocator}::{density}"), move || {
                    let start = Instant::now();
                    play(program, &name, interval, ends)?;
                    note(&format!("{name} {allocator} {density}"), start.elapsed())
                });
                // What lies between the two ends is for those who have the time: `--include-ignored`.
                let is_between = built_here && density == "dense";
                trials.push(trial.with_ignored_flag(is_between));
            }
        }
    }
    assert!(!trials.is_empty(), "there is nothing to play in {from:?}");
    libtest_mimic::run(&arguments, trials).exit()
}

/// What the program can play: a static one, for instance, loads no libraries.
fn scenarios(program: &PathBuf) -> Vec<(String, Ends)> {
    let listed = Command::new(program)
        .arg("--list")
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    assert!(
        listed.status.success(),
        "{}: {}",
        program.display(),
        listed.status
    );
    let text = String::from_utf8(listed.stdout).expect("names");
    let scenario = |line: &str| {
        let (name, ends) = line.split_once(' ')?;
        Some((name.to_owned(), ends.parse().ok()?))
    };
    text.lines()
        .map(|line| scenario(line).unwrap_or_else(|| panic!("not a scenario: `{line}`")))
        .collect()
}

fn play(program: PathBuf, scenario: &str, interval: &str, ends: Ends) -> Result<(), Failed> {
    let mut child = Command::new(program)
        .args([scenario, interval])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // Of its own group, so that what it forked ends with it.
        .process_group(0)
        .spawn()?;
    let mut stderr = child.stderr.take().expect("piped");
    // Read beside the waiting, so that a program that says much is not held up.
    let said = thread::spawn(move || {
        let mut said = Vec::new();
        // What could be read is what there is to say.
        let _ = stderr.read_to_end(&mut said);
        String::from_utf8_lossy(&said).into_owned()
    });
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if start.elapsed() > AT_MOST {
            // SAFETY: the group is that of our child, which we have not waited for.
            unsafe { libc::kill(-(child.id() as i32), libc::SIGKILL) };
            child.wait()?;
            let said = said.join().expect("reads");
            return Err(format!("still running after {AT_MOST:?}; it said:\n{said}").into());
        }
        thread::sleep(Duration::from_millis(2));
    };
    let said = said.join().expect("reads");
    if ended(status) == Some(ends) {
        Ok(())
    } else {
        Err(format!("ended with {status}, expected: {ends}; it said:\n{said}").into())
    }
}

/// Adds a line to the file of times, if one is wanted.
fn note(what: &str, time: Duration) -> Result<(), Failed> {
    if let Some(file) = env::var_os("UNKAI_SCENARIOS_TIMES") {
        let mut file = OpenOptions::new().create(true).append(true).open(file)?;
        // In one piece: others are writing, too.
        file.write_all(format!("{what} {}\n", time.as_millis()).as_bytes())?;
    }
    Ok(())
}

fn ended(status: ExitStatus) -> Option<Ends> {
    match (status.code(), status.signal()) {
        (Some(0), _) => Some(Ends::Well),
        (_, Some(signal)) => Some(Ends::By(signal)),
        _ => None,
    }
}

//! The third table: instructions that a subject adds to the hot pair, counted by callgrind.
//!
//! Two runs of different length differ by their pairs alone, and counts repeat exactly but for the choice of samples, which
//! are part of the price and so part of the figure.

use std::process::{Child as Process, Command, Stdio};

use crate::notes::Notes;
use crate::options::Options;
use crate::subjects::{Role, Subject, bare_of};
use crate::table::Table;

pub(crate) fn table(options: &Options, subjects: &[Subject], notes: &mut Notes) -> Table {
    let mut table = Table {
        title: "Instructions for a hot pair of alloc and free of 64 B, by callgrind".to_owned(),
        head: vec!["in all".to_owned(), "added".to_owned()],
        legend: vec![
            "samples included; in user space of all threads, so background work of a profiler too"
                .to_owned(),
        ],
        ..Table::default()
    };
    if let Err(error) = Command::new("valgrind").arg("--version").output() {
        notes.add(format!("instructions: valgrind cannot be run: {error}"));
        return table;
    }
    let counts: Vec<Option<f64>> = subjects
        .iter()
        .map(|subject| {
            if subject.role == Role::BareAgain {
                return None;
            }
            eprintln!(
                "instructions: {}, {}",
                subject.over.title(),
                subject.label()
            );
            let count = instructions_of_a_pair(subject, options);
            count
                .map_err(|why| {
                    let (name, over) = (subject.label(), subject.over.title());
                    notes.add(format!("{name} ({over}) under callgrind: {why}"));
                })
                .ok()
        })
        .collect();
    for (which, subject) in subjects.iter().enumerate() {
        let added = match subject.role {
            Role::BareAgain => continue,
            Role::Bare => String::new(),
            _ => {
                let bare = bare_of(subjects, subject).and_then(|bare| counts[bare]);
                let added = counts[which].zip(bare).map(|(count, bare)| count - bare);
                added.map_or_else(|| "—".to_owned(), |added| format!("{added:+.1}"))
            }
        };
        let count = counts[which].map_or_else(|| "—".to_owned(), |count| format!("{count:.1}"));
        table.row(subject.over.title(), subject.label(), vec![count, added]);
    }
    table
}

fn instructions_of_a_pair(subject: &Subject, options: &Options) -> Result<f64, String> {
    let pairs = options.counted_pairs;
    // At the same time: nothing is timed here.
    let runs = [
        start(subject, pairs, options)?,
        start(subject, 3 * pairs, options)?,
    ];
    let [once, thrice] = runs.map(collected);
    Ok((thrice? as f64 - once? as f64) / (2 * pairs) as f64)
}

fn start(subject: &Subject, pairs: u64, options: &Options) -> Result<Process, String> {
    let path = subject.path(options).ok_or("not built")?;
    Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(path)
        .args(["once", "hot", &pairs.to_string()])
        .env_remove("_RJEM_MALLOC_CONF")
        .env_remove("MIMALLOC_PROF")
        .envs(subject.environment)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())
}

/// The number that callgrind prints at the end.
fn collected(run: Process) -> Result<u64, String> {
    let output = run.wait_with_output().map_err(|error| error.to_string())?;
    let words = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("died: {}", output.status));
    }
    let line = words
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    let number = line.and_then(|(_, number)| number.trim().parse().ok());
    number.ok_or_else(|| "callgrind counted nothing".to_owned())
}

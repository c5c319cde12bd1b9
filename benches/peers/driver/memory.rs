//! The second table: the most memory that was resident, over that of the bare heap.

use unkai_peers::cores::allowed;
use unkai_peers::workloads::find;

use crate::child::Child;
use crate::notes::Notes;
use crate::options::Options;
use crate::statistics::median;
use crate::subjects::{Role, Subject, bare_of};
use crate::table::{Table, ratio};

/// Which workloads, and how many operations of them.
const WORK: [(&str, u64); 2] = [("slots", 300_000), ("json", 4)];

pub(crate) fn table(options: &Options, subjects: &[Subject], notes: &mut Notes) -> Table {
    let work: Vec<(&str, u64)> = WORK
        .into_iter()
        .filter(|(name, _)| options.wants_workload(name))
        .collect();
    let columns: Vec<Vec<Option<f64>>> = work
        .iter()
        .map(|&(name, operations)| {
            eprintln!("memory: {name}");
            column(name, operations, options, subjects, notes)
        })
        .collect();
    let mut table = Table {
        title: "Peak of resident memory over that of the bare heap".to_owned(),
        head: work.iter().map(|(name, _)| (*name).to_owned()).collect(),
        legend: vec![format!(
            "VmHWM at the end of a fresh process, median of {}; bare: the figure itself",
            options.memory_runs
        )],
        ..Table::default()
    };
    for (which, subject) in subjects.iter().enumerate() {
        let cells = columns.iter().map(|peaks| match subject.role {
            Role::Bare => mebibytes(peaks[which]),
            _ => {
                let bare = bare_of(subjects, subject).and_then(|bare| peaks[bare]);
                ratio(peaks[which].zip(bare).map(|(peak, bare)| peak / bare))
            }
        });
        table.row(subject.over.title(), subject.label(), cells.collect());
    }
    table
}

/// The median peak of each subject.
fn column(
    workload: &str,
    operations: u64,
    options: &Options,
    subjects: &[Subject],
    notes: &mut Notes,
) -> Vec<Option<f64>> {
    let peaks = |subject: &Subject| -> Result<Vec<f64>, String> {
        (0..options.memory_runs)
            .map(|_| peak(subject, workload, operations, options).map(|peak| peak as f64))
            .collect()
    };
    let mut column = Vec::new();
    for subject in subjects {
        column.push(peaks(subject).map_or_else(
            |why| {
                let (name, over) = (subject.label(), subject.over.title());
                notes.add(format!("{name} ({over}), memory at {workload:?}: {why}"));
                None
            },
            median,
        ));
    }
    column
}

fn peak(
    subject: &Subject,
    workload: &str,
    operations: u64,
    options: &Options,
) -> Result<u64, String> {
    let threads = find(workload).map_or(1, |workload| workload.threads);
    let cores = allowed();
    let mut child = Child::start(subject, options)?;
    child.prepare(workload, &cores[cores.len().saturating_sub(threads)..])?;
    child.prepared()?;
    child.run(operations)?;
    child.peak()
}

fn mebibytes(bytes: Option<f64>) -> String {
    bytes.map_or_else(
        || "—".to_owned(),
        |bytes| format!("{:.1} MiB", bytes / 1024.0 / 1024.0),
    )
}

//! The first table: times over those of the bare heap.

use unkai_peers::workloads::{WORKLOADS, Workload};

use crate::notes::Notes;
use crate::options::Options;
use crate::statistics::geometric_mean;
use crate::subjects::{Role, Subject};
use crate::table::{Table, ratio, time};
use crate::turns::{self, Outcome};

pub(crate) fn table(options: &Options, subjects: &[Subject], notes: &mut Notes) -> Table {
    let workloads: Vec<&Workload> = WORKLOADS
        .iter()
        .filter(|workload| options.wants_workload(workload.name))
        .collect();
    let columns: Vec<Vec<Outcome>> = workloads
        .iter()
        .map(|workload| {
            eprintln!("times: {}", workload.name);
            turns::take(workload, subjects, options, notes)
        })
        .collect();

    let names = workloads.iter().map(|workload| workload.name.to_owned());
    let mut table = Table {
        title: "Time over that of the bare heap, where profilers sample every 512 KiB".to_owned(),
        head: names.chain(["all".to_owned(), "real".to_owned()]).collect(),
        legend: legend(&workloads, subjects),
        ..Table::default()
    };
    for (which, subject) in subjects.iter().enumerate() {
        let outcomes = || columns.iter().map(|column| &column[which]);
        let mut cells: Vec<String> = match subject.role {
            Role::Bare => outcomes().map(|outcome| time(outcome.time)).collect(),
            _ => outcomes().map(|outcome| ratio(outcome.ratio)).collect(),
        };
        let ratios = || outcomes().map(|outcome| outcome.ratio);
        let real = ratios()
            .zip(&workloads)
            .filter(|(_, workload)| workload.real);
        let means = [
            geometric_mean(ratios()),
            geometric_mean(real.map(|(ratio, _)| ratio)),
        ];
        match subject.role {
            Role::Bare => cells.extend(means.map(|_| String::new())),
            _ => cells.extend(means.map(ratio)),
        }
        table.row(subject.over.title(), subject.label(), cells);
    }
    table
}

fn legend(workloads: &[&Workload], subjects: &[Subject]) -> Vec<String> {
    let mut legend: Vec<String> = workloads
        .iter()
        .map(|workload| format!("{}: {}", workload.name, workload.operation))
        .collect();
    legend.extend([
        "all, real: geometric means of all columns, and of the work that programs do (json to tokio)".to_owned(),
        "bare: time of one operation; bare again: a second process of the same, so how far noise takes a ratio from 1.00".to_owned(),
    ]);
    let with_settings = subjects
        .iter()
        .filter(|subject| !subject.settings.is_empty());
    legend.extend(with_settings.map(|subject| format!("{}: {}", subject.name, subject.settings)));
    legend
}

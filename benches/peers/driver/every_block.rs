//! The fourth table: the price of recording every block.

use unkai_peers::workloads::{WORKLOADS, Workload};

use crate::check;
use crate::notes::Notes;
use crate::options::Options;
use crate::subjects::{self, Role, Subject};
use crate::table::{Table, ratio, time};
use crate::turns::{self, Outcome};

const PROGRAMS: [&str; 4] = ["hot", "mixed", "words", "json"];

pub(crate) fn table(options: &Options, _: &[Subject], notes: &mut Notes) -> Table {
    let options = &options.with_fewer_rounds();
    let subjects = check::usable(&subjects::every_block(), options, notes);
    let workloads: Vec<&Workload> = WORKLOADS
        .iter()
        .filter(|workload| PROGRAMS.contains(&workload.name))
        .filter(|workload| options.wants_workload(workload.name))
        .collect();
    let columns: Vec<Vec<Outcome>> = workloads
        .iter()
        .map(|workload| {
            eprintln!("every block: {}", workload.name);
            turns::take(workload, &subjects, options, notes)
        })
        .collect();
    let mut table = Table {
        title: "Time over that of the bare heap, where profilers record every block".to_owned(),
        head: workloads.iter().map(|workload| workload.name.to_owned()).collect(),
        legend: vec![
            "bare: time of one operation; each is compared with the bare heap of a program built as its own was".to_owned(),
            "heaptrack interprets what it records in a second process, on whatever core is free".to_owned(),
        ],
        ..Table::default()
    };
    for (which, subject) in subjects.iter().enumerate() {
        let cells = columns.iter().map(|column| match subject.role {
            Role::Bare => time(column[which].time),
            _ => ratio(column[which].ratio),
        });
        table.row(subject.over.title(), subject.label(), cells.collect());
    }
    table
}

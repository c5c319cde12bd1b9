//! A program forks while other threads of it take snapshots, name functions and write reports, as when it is scraped. Each child
//! makes its own.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

use crate::child::{self, Progress};
use crate::describe::{Format, Names, describe};
use crate::heap::{Heap, apart, totals_are_exact};
use crate::load::churn;
use crate::raised::RaisedAtTheEnd;

const FORKS: usize = 50;

pub(crate) fn play(heap: &'static dyn Heap) {
    churn(6, 1000);
    let stop = AtomicBool::new(false);
    let stop = &stop;
    thread::scope(|scope| {
        let _end = RaisedAtTheEnd(stop);
        for names in [Names::Found, Names::LeftOut, Names::LeftOut] {
            scope.spawn(move || {
                for format in Format::ALL.iter().cycle() {
                    describe(heap, names, *format);
                    if stop.load(SeqCst) {
                        break;
                    }
                }
            });
        }
        for number in 0..FORKS {
            child::play("while reports are made", |progress| {
                in_child(heap, Format::ALL[number % Format::ALL.len()], progress);
            });
        }
    });
    totals_are_exact(heap, "after forks while reports were made");
}

fn in_child(heap: &'static dyn Heap, format: Format, progress: &Progress) {
    let before = apart(heap);
    progress.at(&"a snapshot");
    drop(heap.snapshot());
    progress.at(&"a report without names");
    describe(heap, Names::LeftOut, format);
    progress.at(&"a report with names");
    describe(heap, Names::Found, format);
    assert_eq!(apart(heap), before, "in the child");
}

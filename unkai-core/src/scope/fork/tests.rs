//! Sections where nobody forks, and forks of this process while its other threads are at a chosen place.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use super::Sections;
use crate::sync::Ordering::SeqCst;

const FIRST: usize = 1 << 12;
const SECOND: usize = 2 << 12;

fn inside(sections: &Sections) -> usize {
    let inside = sections.inside.iter();
    inside.map(|line| line.0.load(SeqCst)).sum()
}

#[test]
fn nobody_enters_while_another_forks() {
    let sections = Sections::new();
    sections.enter(SECOND);
    sections.leave(SECOND);
    assert!(sections.close(FIRST, 0));
    let (entered, told) = channel();
    thread::scope(|threads| {
        let sections = &sections;
        threads.spawn(move || {
            sections.enter(SECOND);
            entered.send(()).unwrap();
            sections.leave(SECOND);
        });
        let early = told.recv_timeout(Duration::from_millis(100));
        assert!(early.is_err(), "it entered while another forks");
        // The one who forks may.
        sections.enter(FIRST);
        sections.leave(FIRST);
        sections.open(FIRST);
        told.recv().unwrap();
    });
    assert_eq!(inside(&sections), 0);
}

#[test]
fn neither_side_waits_for_ever() {
    let sections = Sections::new();
    sections.enter(SECOND);
    // SECOND is stopped where it is.
    assert!(!sections.close(FIRST, 0));
    // And FIRST is stopped while it forks.
    let (third, fourth) = (3 << 12, 4 << 12);
    sections.enter(third);
    assert!(!sections.close(fourth, 0));
    sections.open(fourth);
    assert!(
        sections.is_closed_to(third),
        "it was not for FOURTH to open"
    );
    sections.open(FIRST);
    assert!(!sections.is_closed_to(third));
    sections.leave(third);
    sections.leave(SECOND);
    assert_eq!(inside(&sections), 0);
}

#[test]
fn a_child_keeps_its_own_section_and_forgets_others() {
    let sections = Sections::new();
    sections.enter(FIRST);
    assert!(sections.close(FIRST, 1), "it waits for itself");
    // As a thread that sees the fork in a moment.
    for line in &sections.inside {
        line.0.fetch_add(1, SeqCst);
    }
    sections.forget_others(FIRST, 1);
    sections.open(FIRST);
    assert_eq!(inside(&sections), 1);
    sections.leave(FIRST);
    assert_eq!(inside(&sections), 0);
    assert!(!sections.is_closed_to(SECOND));
}

#[cfg(all(feature = "profiler", target_os = "linux", not(miri)))]
mod of_this_process {
    use std::sync::Barrier;

    use super::super::real::{SECTIONS, enter, generation, take_care};
    use super::*;
    use crate::forked;
    use crate::scope::thread::{for_each_record, this_thread, this_thread_or_new};
    use crate::sync::AtomicUsize;

    #[test]
    fn a_fork_waits_until_others_have_left_their_sections() {
        take_care();
        let (together, left) = (Barrier::new(2), AtomicUsize::new(0));
        thread::scope(|threads| {
            threads.spawn(|| {
                let section = enter();
                let within = enter();
                together.wait();
                thread::sleep(Duration::from_millis(50));
                drop(within);
                left.store(1, SeqCst);
                drop(section);
            });
            together.wait();
            let before = generation();
            let says = forked::says(|| match (left.load(SeqCst), generation() - before) {
                (1, 1) => 0,
                (0, _) => 1,
                _ => 2,
            });
            assert_eq!(says, 0);
            assert_eq!(generation(), before, "of the parent");
        });
    }

    /// As if the fork had come between two instructions of other threads.
    #[test]
    fn a_child_forgets_what_other_threads_were_about() {
        take_care();
        let mine = this_thread_or_new().unwrap();
        let (begun, over) = (Barrier::new(2), Barrier::new(2));
        thread::scope(|threads| {
            let other = threads.spawn(|| {
                let other = this_thread_or_new().unwrap();
                other.busy.store(64, SeqCst);
                begun.wait();
                over.wait();
                other.busy.store(0, SeqCst);
                std::ptr::from_ref(other).addr()
            });
            begun.wait();
            mine.busy.store(32, SeqCst);
            let says = forked::says(|| {
                let mut busy = Vec::new();
                for_each_record(|record| busy.push(record.busy.load(SeqCst)));
                busy.retain(|&busy| busy != 0);
                // What this thread is about, it goes on with.
                i32::from(busy != [32] || !std::ptr::eq(this_thread().unwrap(), mine))
            });
            over.wait();
            mine.busy.store(0, SeqCst);
            assert_ne!(other.join().unwrap(), std::ptr::from_ref(mine).addr());
            assert_eq!(says, 0);
        });
        // A count that stays behind would keep the child's own child waiting, and be there still.
        let says = forked::says(|| {
            for line in &SECTIONS.inside {
                line.0.fetch_add(1, SeqCst);
            }
            forked::says(|| i32::from(inside(&SECTIONS) != 0))
        });
        assert_eq!(says, 0);
    }

    #[test]
    fn a_thread_forks_inside_a_section_of_its_own() {
        take_care();
        // As a handler of a signal would.
        let section = enter();
        let says = forked::says(|| {
            drop(section);
            let again = forked::says(|| {
                drop(enter());
                0
            });
            again + i32::from(inside(&SECTIONS) != 0)
        });
        assert_eq!(says, 0);
    }
}

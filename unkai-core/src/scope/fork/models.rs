//! Threads that enter sections while another forks, and what its child would have.

use loom::sync::Arc;
use loom::thread;

use super::Sections;
use crate::scope::models::model;
use crate::sync::{AtomicUsize, Ordering};

const FIRST: usize = 1;
const SECOND: usize = 2;

struct Process {
    sections: Sections,
    /// Two halves of one thing, which a child must have both of or neither.
    halves: [AtomicUsize; 2],
}

impl Process {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            sections: Sections::new(),
            halves: [AtomicUsize::new(0), AtomicUsize::new(0)],
        })
    }

    fn change(&self, me: usize) {
        self.sections.enter(me);
        for half in &self.halves {
            // Load and store: what another did in between would be lost, if two were inside that must not be.
            half.fetch_add(1, Ordering::Relaxed);
        }
        self.sections.leave(me);
    }

    fn fork(&self, me: usize) {
        assert!(self.sections.close(me, 0));
        let copied = self
            .halves
            .each_ref()
            .map(|half| half.load(Ordering::Relaxed));
        assert_eq!(copied[0], copied[1], "the child has one half of something");
        self.sections.open(me);
    }
}

#[test]
fn a_fork_finds_nothing_half_done() {
    model(3, || {
        let process = Process::new();
        let other = Arc::clone(&process);
        let other = thread::spawn(move || other.change(SECOND));
        process.fork(FIRST);
        // The one who has forked is one of those who enter.
        process.change(FIRST);
        other.join().unwrap();
        process.fork(FIRST);
        assert_eq!(process.halves[1].load(Ordering::Relaxed), 2);
    });
}

#[test]
fn two_fork_at_once() {
    model(2, || {
        let process = Process::new();
        let other = Arc::clone(&process);
        let other = thread::spawn(move || {
            other.change(SECOND);
            other.fork(SECOND);
        });
        process.fork(FIRST);
        other.join().unwrap();
        assert_eq!(process.halves[1].load(Ordering::Relaxed), 1);
    });
}

/// The child is played on the same memory, once the others have gone: some were counted for a moment, which the copy keeps.
#[test]
fn a_child_forgets_who_was_inside_and_goes_on() {
    model(2, || {
        let process = Process::new();
        assert!(process.sections.close(FIRST, 0));
        let enters = Arc::clone(&process);
        let enters = thread::spawn(move || {
            let line = &enters.sections.inside[0].0;
            line.fetch_add(1, Ordering::AcqRel);
            assert!(enters.sections.is_closed_to(SECOND));
        });
        enters.join().unwrap();
        process.sections.forget_others(FIRST, 0);
        process.sections.open(FIRST);
        process.change(FIRST);
        process.fork(FIRST);
    });
}

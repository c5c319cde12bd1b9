//! What is done to the heap while a clock runs.
//!
//! A workload is prepared once in a process, then run in slices of as many operations as the driver asks for, and answers
//! with the time that these took. It does the same work in every process, from the same seed, and reads and writes no file
//! while the clock runs.

mod block;
mod growth;
mod hand_over;
mod json;
mod mixed;
mod pair;
mod patterns;
mod slots;
mod syntax;
mod tasks;
mod words;

use std::time::Duration;

/// A pattern of use of the heap.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Its name on the command line and at the head of its column.
    pub name: &'static str,
    /// What is counted as one operation.
    pub operation: &'static str,
    /// How many threads work at once.
    pub threads: usize,
    /// Whether it is work that a program would do, rather than allocations alone.
    pub real: bool,
    /// Makes ready, and returns what runs a slice.
    pub prepare: fn() -> Run,
}

/// Runs so many operations and answers with the time that they took.
pub type Run = Box<dyn FnMut(u64) -> Duration>;

/// All workloads, in the order of their columns.
pub const WORKLOADS: [Workload; 12] = [
    Workload {
        name: "hot",
        operation: "alloc and free of 64 B",
        threads: 1,
        real: false,
        prepare: pair::prepare,
    },
    Workload {
        name: "mixed",
        operation: "alloc and free of 8 to 1024 B, 512 live",
        threads: 1,
        real: false,
        prepare: mixed::prepare,
    },
    Workload {
        name: "slots",
        operation: "replacement of one of 100,000 live blocks, sizes as programs have them",
        threads: 1,
        real: false,
        prepare: slots::prepare_alone,
    },
    Workload {
        name: "slots-2",
        operation: "the same on 2 threads at once, 50,000 live blocks each",
        threads: 2,
        real: false,
        prepare: slots::prepare_two_threads,
    },
    Workload {
        name: "hand-over",
        operation: "block of 8 to 1024 B, freed by another thread",
        threads: 2,
        real: false,
        prepare: hand_over::prepare,
    },
    Workload {
        name: "grow-256",
        operation: "vector of u64 grown by push to 256 elements; the last 61 are live",
        threads: 1,
        real: false,
        prepare: || growth::prepare(256, 61),
    },
    Workload {
        name: "grow-1M",
        operation: "vector of u64 grown by push to 1,048,576 elements",
        threads: 1,
        real: false,
        prepare: || growth::prepare(1 << 20, 0),
    },
    Workload {
        name: "json",
        operation: "document parsed by serde_json and printed again",
        threads: 1,
        real: true,
        prepare: json::prepare,
    },
    Workload {
        name: "syn",
        operation: "unkai's sources parsed to syntax trees by syn",
        threads: 1,
        real: true,
        prepare: syntax::prepare,
    },
    Workload {
        name: "words",
        operation: "index of the words of a text",
        threads: 1,
        real: true,
        prepare: words::prepare,
    },
    Workload {
        name: "regex",
        operation: "twelve patterns compiled by regex",
        threads: 1,
        real: true,
        prepare: patterns::prepare,
    },
    Workload {
        name: "tokio",
        operation: "64 tasks that send strings through a channel, on tokio's current-thread runtime",
        threads: 1,
        real: true,
        prepare: tasks::prepare,
    },
];

/// The workload of this name.
pub fn find(name: &str) -> Option<&'static Workload> {
    WORKLOADS.iter().find(|workload| workload.name == name)
}

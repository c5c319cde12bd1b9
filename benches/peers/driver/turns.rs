//! Lets subjects take turns at a workload, slice by slice.
//!
//! What disturbs a machine for longer than a round disturbs all who take part in it, so a ratio is of two slices of one
//! round, and the median is that of the ratios.

use std::collections::HashMap;

use unkai_peers::cores::allowed;
use unkai_peers::workloads::Workload;

use crate::child::Child;
use crate::notes::Notes;
use crate::options::Options;
use crate::statistics::median;
use crate::subjects::{Heap, Role, Subject, bare_of};

/// What came of one subject's turns.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// Seconds for an operation.
    pub(crate) time: Option<f64>,
    /// Its time over that of its bare heap.
    pub(crate) ratio: Option<f64>,
}

/// Measures all subjects at one workload. The outcomes are in the subjects' order.
pub(crate) fn take(
    workload: &Workload,
    subjects: &[Subject],
    options: &Options,
    notes: &mut Notes,
) -> Vec<Outcome> {
    let mut turns = vec![Turns::default(); subjects.len()];
    for start in 0..options.starts {
        let rounds =
            (start + 1) * options.rounds / options.starts - start * options.rounds / options.starts;
        let mut seats: Vec<Seat> = subjects
            .iter()
            .zip(&turns)
            .map(|(subject, turns)| match &turns.failure {
                // It would only hang again.
                Some(why) => Seat(Err(why.clone())),
                None => Seat(Child::start(subject, options)),
            })
            .collect();
        play(workload, rounds, subjects, &mut seats, &mut turns, options);
        for (seat, turns) in seats.into_iter().zip(&mut turns) {
            turns.failure = turns.failure.take().or(seat.0.err());
        }
    }
    turns
        .into_iter()
        .zip(subjects)
        .map(|(turns, subject)| match turns.failure {
            None => Outcome {
                time: median(turns.times),
                ratio: median(turns.ratios),
            },
            Some(why) => {
                let (name, over) = (subject.label(), subject.over.title());
                notes.add(format!("{name} ({over}) at {:?}: {why}", workload.name));
                Outcome::default()
            }
        })
        .collect()
}

/// All that one subject did so far.
#[derive(Clone, Default)]
struct Turns {
    times: Vec<f64>,
    ratios: Vec<f64>,
    failure: Option<String>,
}

/// A subject's process, or why there is none any more.
struct Seat(Result<Child, String>);

impl Seat {
    /// Asks the process, if it is there; it is not, after an error.
    fn ask<R>(&mut self, question: impl FnOnce(&mut Child) -> Result<R, String>) -> Option<R> {
        let answer = question(self.0.as_mut().ok()?);
        match answer {
            Ok(answer) => Some(answer),
            Err(why) => {
                self.0 = Err(why);
                None
            }
        }
    }
}

/// One start: makes all ready, finds how long slices must be, and plays the rounds.
fn play(
    workload: &Workload,
    rounds: usize,
    subjects: &[Subject],
    seats: &mut [Seat],
    turns: &mut [Turns],
    options: &Options,
) {
    let cores = allowed();
    let cores = &cores[cores.len().saturating_sub(workload.threads)..];
    for seat in seats.iter_mut() {
        seat.ask(|child| child.prepare(workload.name, cores));
    }
    for seat in seats.iter_mut() {
        seat.ask(Child::prepared);
    }
    let operations = calibrate(subjects, seats, options);

    let count = subjects.len();
    for round in 0..rounds {
        let mut times = vec![None; count];
        for turn in 0..count {
            // Another one begins each round, and every other round goes backwards, so that neighbours change.
            let which = (round / 2 + turn) % count;
            let which = if round % 2 == 0 {
                which
            } else {
                count - 1 - which
            };
            let operations = operations[which];
            let time = seats[which].ask(|child| child.run(operations));
            times[which] = time.map(|time| time / operations as f64);
        }
        for (which, subject) in subjects.iter().enumerate() {
            let bare = bare_of(subjects, subject).and_then(|bare| times[bare]);
            if let (Some(time), Some(bare)) = (times[which], bare) {
                turns[which].times.push(time);
                turns[which].ratios.push(time / bare);
            }
        }
    }
}

/// How many operations each subject's slice has: as many as its bare heap does in the time of a slice, or fewer where it is
/// more than four times as slow. Warms up as well.
fn calibrate(subjects: &[Subject], seats: &mut [Seat], options: &Options) -> Vec<u64> {
    let slice = options.slice.as_secs_f64();
    let mut bare: HashMap<&str, (u64, f64)> = HashMap::new();
    let key = |heap: Heap| heap.title();
    for (subject, seat) in subjects.iter().zip(seats.iter_mut()) {
        if subject.role != Role::Bare {
            continue;
        }
        let (mut operations, mut time) = (1, 0.0);
        while let Some(taken) = seat.ask(|child| child.run(operations)) {
            time = taken;
            if taken > slice / 3.0 {
                break;
            }
            operations *= 3;
        }
        let each = time / operations as f64;
        let wanted = (slice / each).round().max(1.0) as u64;
        bare.insert(key(subject.over), (wanted, each));
    }
    let seats = subjects.iter().zip(seats);
    seats
        .map(|(subject, seat)| {
            let (operations, bare) = bare.get(key(subject.over)).copied().unwrap_or((1, 1.0));
            // A quarter of a slice first: it may be slow.
            let first = operations.div_ceil(4);
            let slowness = match seat.ask(|child| child.run(first)) {
                Some(time) => time / first as f64 / bare,
                None => 1.0,
            };
            let fewer = (operations as f64 * 4.0 / slowness.max(4.0)).round();
            (fewer as u64).max(1)
        })
        .collect()
}

//! What threads did to a tree and when, and what follows from it about the bytes in use, without asking the tree.
//!
//! Each call is recorded with a time before it and a time after it. What happened within a call happened in between. So a
//! charge
//! * *may* be in effect from its own begin to the end of its uncharge: outside of that it certainly is not;
//! * *is* in effect from its own end to the begin of its uncharge.
//!
//! Sums over all charges then bound the true number from above and from below, at every time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Where times come from.
#[derive(Debug)]
pub(crate) enum Clock {
    /// A shared counter: every two times differ. But threads meet there, and disturb each other less elsewhere.
    Counter(AtomicU64),
    /// The machine's clock, which threads read without meeting.
    Nanoseconds(Instant),
}

impl Clock {
    pub(crate) fn both() -> [Self; 2] {
        [
            Self::Counter(AtomicU64::new(0)),
            Self::Nanoseconds(Instant::now()),
        ]
    }

    pub(crate) fn now(&self) -> u64 {
        match self {
            Self::Counter(next) => next.fetch_add(1, Ordering::SeqCst),
            Self::Nanoseconds(since) => since.elapsed().as_nanos() as u64,
        }
    }
}

/// One call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) begin: u64,
    pub(crate) end: u64,
    /// The place of the scope in its tree.
    pub(crate) scope: usize,
    pub(crate) bytes: usize,
    pub(crate) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Charge,
    Uncharge,
    /// A charge that is undone within the call, as if the inner allocator had refused.
    Undone,
    /// Refused by the limit of the level with this place.
    Refusal {
        at: usize,
    },
}

/// A level of the tree of a history: `upwards` are the places of this level and of those above it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) upwards: Vec<usize>,
    pub(crate) limit: Option<usize>,
}

/// A refusal for which there was no moment at which it would have been right.
#[derive(Clone, Copy, Debug)]
#[expect(dead_code, reason = "printed")]
pub(crate) struct Wrong {
    pub(crate) call: Call,
    /// The most that may have been in use at that level during the call.
    pub(crate) in_use_at_most: usize,
    pub(crate) limit: usize,
}

/// The refusals of a history that cannot have been right: see `refusals_are_right`.
pub(crate) fn wrong_refusals(places: &[Place], calls: &[Call]) -> Vec<Wrong> {
    /// What happens at one time, in this order: so that whatever may have been in use counts.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    enum Step {
        Rise,
        Ask,
        Answer,
        Fall,
    }
    let mut steps: Vec<(u64, Step, usize)> = Vec::with_capacity(2 * calls.len());
    for (number, call) in calls.iter().enumerate() {
        match call.what {
            What::Charge => steps.push((call.begin, Step::Rise, number)),
            What::Uncharge => steps.push((call.end, Step::Fall, number)),
            What::Undone => {
                steps.push((call.begin, Step::Rise, number));
                steps.push((call.end, Step::Fall, number));
            }
            What::Refusal { .. } => {
                steps.push((call.begin, Step::Ask, number));
                steps.push((call.end, Step::Answer, number));
            }
        }
    }
    steps.sort_unstable();

    let mut in_use = vec![0; places.len()];
    // Refusals under way, each with the most that was in use at its level since it began.
    let mut asking: Vec<(usize, usize, usize)> = Vec::new();
    let mut wrong = Vec::new();
    for (_, step, number) in steps {
        let call = calls[number];
        let upwards = &places[call.scope].upwards;
        match step {
            Step::Rise => {
                upwards
                    .iter()
                    .for_each(|&place| in_use[place] += call.bytes);
                for (_, at, most) in &mut asking {
                    *most = in_use[*at].max(*most);
                }
            }
            Step::Fall => upwards
                .iter()
                .for_each(|&place| in_use[place] -= call.bytes),
            Step::Ask => {
                let What::Refusal { at } = call.what else {
                    unreachable!("only refusals ask");
                };
                asking.push((number, at, in_use[at]));
            }
            Step::Answer => {
                let asked = asking.iter().position(|&(other, ..)| other == number);
                let (_, at, most) = asking.swap_remove(asked.unwrap());
                let limit = places[at].limit.expect("only limits refuse");
                if most + call.bytes <= limit {
                    wrong.push(Wrong {
                        call,
                        in_use_at_most: most,
                        limit,
                    });
                }
            }
        }
    }
    wrong
}

/// For each level, the most that was certainly in use at once, and the most that may have been.
pub(crate) fn peaks(places: &[Place], calls: &[Call]) -> Vec<(usize, usize)> {
    let certain = highest(places, calls, false, |call| match call.what {
        What::Charge => call.end,
        _ => call.begin,
    });
    let possible = highest(places, calls, true, |call| match call.what {
        What::Charge => call.begin,
        _ => call.end,
    });
    certain.into_iter().zip(possible).collect()
}

/// The highest sums at each level, with charges and uncharges at these times. What was undone never counts.
fn highest(
    places: &[Place],
    calls: &[Call],
    rise_first: bool,
    time: impl Fn(&Call) -> u64,
) -> Vec<usize> {
    let mut steps: Vec<(u64, bool, usize)> = Vec::new();
    for (number, call) in calls.iter().enumerate() {
        let rises = call.what == What::Charge;
        if rises || call.what == What::Uncharge {
            steps.push((time(call), rises != rise_first, number));
        }
    }
    // Sums are signed: at one time, falls may come first.
    steps.sort_unstable();
    let (mut sums, mut most) = (vec![0_isize; places.len()], vec![0_isize; places.len()]);
    for (_, _, number) in steps {
        let call = calls[number];
        let bytes = call.bytes as isize;
        for &place in &places[call.scope].upwards {
            sums[place] += if call.what == What::Charge {
                bytes
            } else {
                -bytes
            };
            most[place] = most[place].max(sums[place]);
        }
    }
    most.into_iter().map(|most| most as usize).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(what: What, begin: u64, end: u64, bytes: usize) -> Call {
        Call {
            begin,
            end,
            scope: 1,
            bytes,
            what,
        }
    }

    /// A root with a limit of 100, and a scope below it without.
    fn places() -> [Place; 2] {
        let place = |upwards: &[usize], limit| Place {
            upwards: upwards.to_vec(),
            limit,
        };
        [place(&[0], Some(100)), place(&[1, 0], None)]
    }

    const REFUSAL: What = What::Refusal { at: 0 };

    #[test]
    fn a_refusal_that_was_right_for_a_moment_passes() {
        let calls = [
            call(What::Charge, 0, 1, 60),
            call(REFUSAL, 2, 9, 50),
            // Too much only while both are charged, and no longer when the answer comes.
            call(What::Uncharge, 3, 4, 60),
        ];
        assert!(wrong_refusals(&places(), &calls).is_empty());
        // A charge that is only under way may have been the reason.
        let calls = [call(REFUSAL, 0, 9, 50), call(What::Charge, 8, 20, 51)];
        assert!(wrong_refusals(&places(), &calls).is_empty());
    }

    #[test]
    fn a_refusal_with_room_at_every_moment_is_found() {
        let broken = [
            vec![call(REFUSAL, 0, 1, 100)],
            vec![call(What::Charge, 0, 1, 50), call(REFUSAL, 2, 3, 50)],
            // Enough was given back before it asked, and taken only after it was answered.
            vec![
                call(What::Charge, 0, 1, 60),
                call(What::Uncharge, 2, 3, 60),
                call(REFUSAL, 4, 5, 41),
                call(What::Charge, 6, 7, 60),
            ],
            // Never more than 50 at once, though 100 were charged during the call.
            vec![
                call(REFUSAL, 0, 9, 50),
                call(What::Charge, 1, 2, 50),
                call(What::Uncharge, 3, 4, 50),
                call(What::Charge, 5, 6, 50),
                call(What::Uncharge, 7, 8, 50),
            ],
        ];
        for calls in broken {
            assert_eq!(wrong_refusals(&places(), &calls).len(), 1, "{calls:?}");
        }
    }

    #[test]
    fn peaks_are_bounded_by_what_overlaps() {
        let calls = [
            call(What::Charge, 0, 1, 10),
            call(What::Charge, 2, 5, 20),
            call(What::Uncharge, 4, 6, 10),
            call(What::Undone, 7, 8, 1000),
            call(What::Uncharge, 9, 10, 20),
        ];
        let [(certain, possible), below] = peaks(&places(), &calls)[..] else {
            unreachable!("two levels");
        };
        assert_eq!((certain, possible), below);
        assert_eq!((certain, possible), (20, 30));
    }
}

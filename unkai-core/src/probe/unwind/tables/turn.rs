//! Whose turn it is to read the list of modules: one thread's at a time, and nobody waits.
//!
//! A child inherits a turn as it was at the fork. If another thread of the parent had it, nobody will ever end it in the child, so a turn
//! carries the number of its process, and one of another process counts for nothing. There is one exception: the C library's walk
//! over the modules holds a lock, which a child inherits too, so that a walk of its own would never end. A child
//! whose parent was in that walk goes on with the list that it has.

use crate::sync::{AtomicU64, Ordering, fence};

/// Where turns are taken.
#[derive(Debug)]
pub(super) struct Turns {
    /// 0 if nobody has the turn; else the number of the process in the upper half, `TAKEN` or `IN_LOADER` in the lower one.
    state: AtomicU64,
}

/// The turn, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'t> {
    turns: &'t Turns,
    process: u64,
}

impl Turns {
    #[cfg(not(loom))]
    pub(super) const fn new() -> Self {
        Self {
            state: AtomicU64::new(0),
        }
    }

    /// loom's atomics are not made in constants.
    #[cfg(loom)]
    pub(super) fn new() -> Self {
        Self {
            state: AtomicU64::new(0),
        }
    }

    /// Takes the turn, unless another thread has it, or had it where a child cannot go on.
    pub(super) fn take(&self) -> Option<Turn<'_>> {
        let process = u64::from(std::process::id()) << 32;
        let take = |state: u64| {
            let is_free = state == 0 || (state & !STEP != process && state & STEP != IN_LOADER);
            is_free.then_some(process | TAKEN)
        };
        // Acquire: pairs with the Release in `drop`. What another process left is what the fork has copied.
        let taken = self
            .state
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, take);
        taken.ok().map(|_| Turn {
            turns: self,
            process,
        })
    }
}

impl Turn<'_> {
    /// Does what walks over the modules.
    pub(super) fn in_loader<T>(&self, walk: impl FnOnce() -> T) -> T {
        let turn = |step| {
            self.turns
                .state
                .store(self.process | step, Ordering::Release)
        };
        turn(IN_LOADER);
        // SeqCst: before the loader's lock is taken, so that no fork on another thread copies the lock without it. The Release of
        // the other store is after the lock was given back.
        fence(Ordering::SeqCst);
        let seen = walk();
        turn(TAKEN);
        seen
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // Release: pairs with the Acquire in `take`.
        self.turns.state.store(0, Ordering::Release);
    }
}

const TAKEN: u64 = 1;
const IN_LOADER: u64 = 2;
const STEP: u64 = 0xffff_ffff;

#[cfg(all(test, loom))]
mod models {
    use super::*;
    use crate::sync::AtomicUsize;
    use loom::sync::Arc;
    use loom::thread;

    /// Threads that want the turn at once: one at a time has it, sees what the one before it did, and nobody waits.
    #[test]
    fn a_turn_is_one_threads() {
        loom::model(|| {
            let shared = Arc::new((Turns::new(), AtomicUsize::new(0), AtomicUsize::new(0)));
            let refresh = |shared: &(Turns, AtomicUsize, AtomicUsize)| {
                let (turns, guarded, taken) = shared;
                let Some(turn) = turns.take() else { return };
                // Load and store: what another does in between, or has done and is not seen, is lost.
                turn.in_loader(|| {
                    let before = guarded.load(Ordering::Relaxed);
                    guarded.store(before + 1, Ordering::Relaxed);
                });
                taken.fetch_add(1, Ordering::Relaxed);
            };
            let others = [(), ()].map(|()| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || refresh(&shared))
            });
            refresh(&shared);
            others.map(|other| other.join().unwrap());
            let (turns, guarded, taken) = &*shared;
            assert!(turns.take().is_some());
            let taken = taken.fetch_add(0, Ordering::Relaxed);
            assert_eq!(guarded.load(Ordering::Relaxed), taken);
            assert!(taken >= 1);
        });
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn one_has_the_turn_at_a_time() {
        let turns = Turns::new();
        let turn = turns.take().unwrap();
        assert!(turns.take().is_none());
        turn.in_loader(|| assert!(turns.take().is_none()));
        assert!(turns.take().is_none());
        drop(turn);
        assert!(turns.take().is_some());
        assert!(turns.take().is_some());
    }

    /// Whether a child can take the turn, and is then the only one that has it.
    #[cfg(all(target_os = "linux", not(miri)))]
    fn child_takes(turns: &Turns) -> bool {
        let code = crate::forked::says(|| {
            let taken = turns.take();
            match &taken {
                None => 1,
                Some(_) if turns.take().is_some() => 2,
                Some(_) => {
                    drop(taken);
                    if turns.take().is_some() { 0 } else { 3 }
                }
            }
        });
        assert!(code <= 1, "{code}");
        code == 0
    }

    /// Without the turn, two threads would be in there at once.
    #[test]
    fn a_crowd_takes_turns() {
        const TURNS: u64 = 20_000;
        // Load and store: what another does in between is lost.
        let (turns, guarded) = (Turns::new(), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut taken = 0;
                    while taken < TURNS {
                        match turns.take() {
                            Some(turn) => {
                                turn.in_loader(|| {
                                    let before = guarded.load(Ordering::Relaxed);
                                    guarded.store(before + 1, Ordering::Relaxed);
                                });
                                taken += 1;
                            }
                            None => std::thread::yield_now(),
                        }
                    }
                });
            }
        });
        assert_eq!(guarded.into_inner(), 4 * TURNS);
    }

    #[test]
    #[cfg(all(target_os = "linux", not(miri)))]
    fn a_forked_child_takes_over_the_turn_of_a_thread_it_does_not_have() {
        let turns = Turns::new();
        assert!(child_takes(&turns));
        let turn = turns.take().unwrap();
        assert!(child_takes(&turns));
        drop(turn);
    }

    #[test]
    #[cfg(all(target_os = "linux", not(miri)))]
    fn a_child_of_a_parent_that_was_in_the_loader_does_not_take_the_turn() {
        let turns = Turns::new();
        let turn = turns.take().unwrap();
        turn.in_loader(|| assert!(!child_takes(&turns)));
        assert!(child_takes(&turns), "the walk is over");
    }
}

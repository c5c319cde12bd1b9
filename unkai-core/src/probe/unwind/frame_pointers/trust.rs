//! Whether the chain of frame pointers may be walked alone: not before so many proofs, and never again once it was refuted.
//!
//! Agreements are counted without a locked instruction: of two at once one may be lost, which asks for one more. A refutation
//! stands in a word of its own, which only ever changes to `true`: whatever others count meanwhile, it is not lost.

use crate::sync::{AtomicBool, AtomicU32, Ordering};

/// Agreements with the tables before the chain is trusted.
#[cfg(not(loom))]
const PROOFS: u32 = 32;
#[cfg(loom)]
const PROOFS: u32 = 2;

/// One walk in so many is compared again, once the chain is trusted.
const CHECK_EVERY: u32 = 1024;

/// What is known of the program's frame pointers.
#[derive(Debug, Default)]
pub(super) struct Trust {
    refuted: AtomicBool,
    /// Agreements so far; from `PROOFS` on, walks since the last comparison.
    agreements: AtomicU32,
}

impl Trust {
    #[cfg(not(loom))]
    pub(super) const fn new() -> Self {
        Self {
            refuted: AtomicBool::new(false),
            agreements: AtomicU32::new(0),
        }
    }

    /// loom's atomics are not made in constants.
    #[cfg(loom)]
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Whether this walk may use the chain alone.
    pub(super) fn spares_comparison(&self) -> bool {
        // Relaxed, all of them: each word says all there is to say, and guards nothing.
        let agreements = self.agreements.load(Ordering::Relaxed);
        if agreements < PROOFS || self.is_refuted() {
            return false;
        }
        // Load and store: a lost count only moves the next comparison.
        let next = PROOFS + (agreements + 1 - PROOFS) % CHECK_EVERY;
        self.agreements.store(next, Ordering::Relaxed);
        next != PROOFS
    }

    /// What is known: the program keeps frame pointers, it does not, or it is not known yet.
    pub(super) fn found(&self) -> Option<bool> {
        if self.is_refuted() {
            Some(false)
        } else {
            let proven = self.agreements.load(Ordering::Relaxed) >= PROOFS;
            proven.then_some(true)
        }
    }

    pub(super) fn is_refuted(&self) -> bool {
        self.refuted.load(Ordering::Relaxed)
    }

    /// Takes note of a comparison.
    pub(super) fn compared(&self, agreed: bool) {
        if !agreed {
            self.refuted.store(true, Ordering::Relaxed);
            return;
        }
        let agreements = self.agreements.load(Ordering::Relaxed);
        if agreements < PROOFS {
            self.agreements.store(agreements + 1, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, loom))]
mod models {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    /// A walk refutes the chain while others agree, and while trusted ones are counted: it is given up for good.
    #[test]
    fn a_refutation_is_never_lost() {
        loom::model(|| {
            let trust = Arc::new(Trust::new());
            trust.compared(true);
            let others = [true, false].map(|agreed| {
                let trust = Arc::clone(&trust);
                thread::spawn(move || {
                    trust.compared(agreed);
                    trust.spares_comparison()
                })
            });
            trust.spares_comparison();
            let [_, after_refuting] = others.map(|other| other.join().unwrap());
            assert!(!after_refuting);
            trust.compared(true);
            trust.compared(true);
            assert!(!trust.spares_comparison());
            assert_eq!(trust.found(), Some(false));
        });
    }

    /// Lost counts never make a proof of what was none: with one agreement less than it takes, nobody trusts the chain.
    #[test]
    fn nobody_trusts_without_the_proofs() {
        loom::model(|| {
            let trust = Arc::new(Trust::new());
            let other = {
                let trust = Arc::clone(&trust);
                thread::spawn(move || {
                    assert!(!trust.spares_comparison());
                    trust.compared(true);
                })
            };
            assert!(!trust.spares_comparison());
            other.join().unwrap();
            assert_eq!(trust.found(), None);
            let other = {
                let trust = Arc::clone(&trust);
                thread::spawn(move || trust.compared(true))
            };
            trust.compared(true);
            other.join().unwrap();
            assert_eq!(trust.found(), Some(true));
        });
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn it_takes_the_proofs_and_is_checked_now_and_then() {
        let trust = Trust::new();
        for _ in 0..PROOFS {
            assert_eq!((trust.found(), trust.spares_comparison()), (None, false));
            trust.compared(true);
        }
        assert_eq!(trust.found(), Some(true));
        for _ in 0..3 {
            let spared = (0..CHECK_EVERY).filter(|_| trust.spares_comparison());
            assert_eq!(spared.count(), CHECK_EVERY as usize - 1);
        }
        trust.compared(false);
        trust.compared(true);
        assert_eq!(
            (trust.found(), trust.spares_comparison()),
            (Some(false), false)
        );
    }

    #[test]
    fn one_refutation_among_many_agreements_stands() {
        const THREADS: usize = 4;
        for round in 0..200 {
            let trust = Trust::new();
            std::thread::scope(|scope| {
                for number in 0..THREADS {
                    let trust = &trust;
                    scope.spawn(move || {
                        for step in 0..500 {
                            let refutes = number == 0 && step == 2 * round;
                            if !trust.spares_comparison() {
                                trust.compared(true);
                            }
                            if refutes {
                                trust.compared(false);
                            }
                        }
                    });
                }
            });
            assert_eq!(trust.found(), Some(false), "round {round}");
            assert!(!trust.spares_comparison());
        }
    }
}

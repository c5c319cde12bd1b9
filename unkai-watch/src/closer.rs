//! Sampling that is denser for a while.
//!
//! What the program has set is remembered when the first look begins and put back when the last one ends. If the program
//! changes the sampling in between, that stays, and all looks are over. (A change in the microsecond between reading the
//! sampling and setting it can be overwritten; it is put back as well.)

use std::time::Duration;

use unkai_core::{Sampling, process};

use crate::rule::Look;

/// The looks of all rules, at most one for each.
#[derive(Debug)]
pub(crate) struct Closer {
    looks: Vec<Option<Until>>,
    ours: Option<Ours>,
}

#[derive(Clone, Copy, Debug)]
struct Until {
    interval: u64,
    ends: Duration,
}

/// The sampling that is in force by our doing.
#[derive(Clone, Copy, Debug)]
struct Ours {
    set: Sampling,
    before: Sampling,
}

impl Closer {
    pub(crate) fn new(rules: usize) -> Self {
        Self {
            looks: vec![None; rules],
            ours: None,
        }
    }

    /// A rule begins to look closer, or goes on for longer.
    pub(crate) fn begin(&mut self, rule: usize, look: Look, now: Duration) {
        self.looks[rule] = Some(Until {
            interval: look.interval,
            ends: now.saturating_add(look.lasts),
        });
    }

    /// Brings the process's sampling in line with the looks that are not over.
    pub(crate) fn settle(&mut self, now: Duration) {
        if let Some(sampling) = self.next(now, process::sampling()) {
            process::set_sampling(sampling);
        }
    }

    /// Forgets all looks and puts the sampling back.
    pub(crate) fn end(&mut self) {
        self.settle(Duration::MAX);
    }

    /// When the next look ends.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.looks.iter().flatten().map(|look| look.ends).min()
    }

    /// The interval that is sampled at by our doing.
    pub(crate) fn interval(&self) -> Option<u64> {
        match self.ours?.set {
            Sampling::Bytes { interval } => Some(interval),
            _ => Some(1),
        }
    }

    /// Drops the looks that are over. What is to be set, if it is not what is in force.
    fn next(&mut self, now: Duration, current: Sampling) -> Option<Sampling> {
        if self.ours.is_some_and(|ours| ours.set != current) {
            self.ours = None;
            self.looks.fill(None);
        }
        for look in &mut self.looks {
            *look = look.filter(|look| look.ends > now);
        }
        let before = self.ours.map_or(current, |ours| ours.before);
        let wanted = self.looks.iter().flatten().map(|look| look.interval).min();
        let target = wanted.map_or(before, |interval| denser(before, interval));
        self.ours = (target != before).then_some(Ours {
            set: target,
            before,
        });
        (target != current).then_some(target)
    }
}

/// Sampling every `interval` bytes if that is denser than `before`; else `before`.
fn denser(before: Sampling, interval: u64) -> Sampling {
    let is_denser = match before {
        Sampling::Off => true,
        Sampling::Bytes { interval: set } => interval < set,
        _ => false,
    };
    match interval {
        _ if !is_denser => before,
        1 => Sampling::EveryBlock,
        interval => Sampling::Bytes { interval },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET: Sampling = Sampling::Bytes { interval: 1000 };

    fn every(interval: u64) -> Sampling {
        Sampling::Bytes { interval }
    }

    /// A process's sampling, and looks at it.
    struct World {
        closer: Closer,
        sampling: Sampling,
    }

    impl World {
        fn new(sampling: Sampling) -> Self {
            let closer = Closer::new(2);
            Self { closer, sampling }
        }

        fn begin(&mut self, rule: usize, interval: u64, from: u64, lasts: u64) {
            let lasts = Duration::from_secs(lasts);
            self.closer
                .begin(rule, Look { interval, lasts }, Duration::from_secs(from));
        }

        fn at(&mut self, second: u64) -> Sampling {
            if let Some(next) = self.closer.next(Duration::from_secs(second), self.sampling) {
                self.sampling = next;
            }
            self.sampling
        }
    }

    #[test]
    fn the_densest_look_holds_and_what_was_set_comes_back() {
        let mut world = World::new(SET);
        world.begin(0, 100, 0, 10);
        assert_eq!(world.at(0), every(100));
        world.begin(1, 10, 2, 3);
        assert_eq!(world.at(2), every(10));
        assert_eq!(world.closer.due(), Some(Duration::from_secs(5)));
        assert_eq!(world.at(5), every(100));
        assert_eq!(world.at(9), every(100));
        assert_eq!(world.at(10), SET);
        assert_eq!((world.closer.due(), world.closer.interval()), (None, None));
    }

    #[test]
    fn a_rule_that_fires_again_looks_for_longer() {
        let mut world = World::new(SET);
        world.begin(0, 100, 0, 10);
        world.at(0);
        world.begin(0, 100, 8, 10);
        assert_eq!(world.at(12), every(100));
        assert_eq!(world.at(18), SET);
    }

    #[test]
    fn it_never_makes_sampling_sparser() {
        for sampling in [
            SET,
            Sampling::EveryBlock,
            Sampling::Blocks { one_in: 1 << 20 },
        ] {
            let mut world = World::new(sampling);
            world.begin(0, 1000, 0, 10);
            assert_eq!(world.at(0), sampling);
            assert_eq!(world.closer.interval(), None);
        }
    }

    #[test]
    fn sampling_that_was_off_is_turned_on_and_off_again() {
        let mut world = World::new(Sampling::Off);
        world.begin(0, 1, 0, 10);
        assert_eq!(world.at(0), Sampling::EveryBlock);
        assert_eq!(world.closer.interval(), Some(1));
        assert_eq!(world.at(10), Sampling::Off);
    }

    #[test]
    fn a_change_by_the_program_stays() {
        let mut world = World::new(SET);
        world.begin(0, 100, 0, 10);
        world.at(0);
        world.sampling = every(7);
        assert_eq!(world.at(1), every(7));
        assert_eq!(world.at(10), every(7));
        // A look that begins later knows nothing of the one before.
        world.begin(0, 2, 11, 10);
        assert_eq!(world.at(11), every(2));
        assert_eq!(world.at(30), every(7));
    }
}

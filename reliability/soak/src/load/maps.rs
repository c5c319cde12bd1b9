//! Long-lived maps, of which a few entries change all the time, and which are built anew now and then.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::pause;
use crate::gate::Work;
use crate::random::Random;

pub(super) struct Maps {
    random: Random,
    names: HashMap<usize, String>,
    places: BTreeMap<usize, Box<[u8]>>,
}

/// Entries of each map.
const ENTRIES: usize = 10_000;

impl Maps {
    pub(super) fn new(random: Random) -> Self {
        let mut new = Self {
            random,
            names: HashMap::with_capacity(ENTRIES),
            places: BTreeMap::new(),
        };
        (0..ENTRIES).for_each(|key| new.change(key));
        new
    }

    fn change(&mut self, key: usize) {
        self.names.insert(key, name(key, self.random.below(1000)));
        let bytes = 16 + key % 200;
        self.places.insert(key, vec![1; bytes].into());
    }
}

/// Of the same length whatever the number is: what is kept at rest is the same each time.
fn name(key: usize, number: usize) -> String {
    format!("entry {key:06} number {number:04}, of some length")
}

impl Work for Maps {
    fn step(&mut self) {
        for _ in 0..200 {
            let key = self.random.below(ENTRIES);
            self.change(key);
        }
        if self.random.below(1000) == 0 {
            // As a cache that is filled anew while the old one is still in use.
            let anew: HashMap<_, _> = (0..ENTRIES).map(|key| (key, name(key, 0))).collect();
            self.names = anew;
        }
        pause(Duration::from_millis(3));
    }

    fn rest(&mut self) {}
}

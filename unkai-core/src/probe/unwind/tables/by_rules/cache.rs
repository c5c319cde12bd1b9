//! Rules that were looked up, for all threads: one word each, without a lock.
//!
//! ```text
//!   word of the cache:  page of the code (35 bits) │ number of the list (6) │ rule (23)
//! ```
//!
//! The page and the place of the word together name the place in the code: a word is never taken for another's. It says all
//! there is to say, so that threads that store at once can lose rules, which are looked up once more, but never mix them.

use crate::sync::{AtomicU64, Ordering};

/// Bits that a rule has in its word.
pub(super) const RULE_BITS: u32 = 23;
const NUMBER_BITS: u32 = 6;
const TAG_BITS: u32 = 35;
const _: () = assert!(TAG_BITS + NUMBER_BITS + RULE_BITS == 64);
/// Lists of modules that words can tell apart.
pub(super) const MOST_NUMBERS: u32 = 1 << NUMBER_BITS;

/// A set for each place of a page.
const SETS: usize = 1 << PAGE_BITS;
const WAYS: usize = 2;
const PAGE_BITS: u32 = 12;

/// Where the cache has a rule, or would have it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot<'c> {
    ways: &'c [AtomicU64; WAYS],
    /// The word without the rule.
    tag: u64,
}

impl<'c> Slot<'c> {
    /// The slot of a place, among the rules of the list `number`. `None` for addresses that no program has.
    #[inline]
    fn of(
        place: u64,
        number: u64,
        set: impl FnOnce(usize) -> &'c [AtomicU64; WAYS],
    ) -> Option<Self> {
        let page = place >> PAGE_BITS;
        // Mixes the page into the set. For one page, each place has a set of its own.
        let mixed = (page.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) ^ place;
        (page < 1 << TAG_BITS).then(|| Self {
            ways: set(mixed as usize & (SETS - 1)),
            tag: (page << NUMBER_BITS | number) << RULE_BITS,
        })
    }

    #[inline]
    pub(super) fn load(self) -> Option<u64> {
        const RULE: u64 = (1 << RULE_BITS) - 1;
        // Relaxed: a word says all there is to say.
        let mut words = self.ways.iter().map(|way| way.load(Ordering::Relaxed));
        let word = words.find(|word| word & !RULE == self.tag && *word != 0)?;
        Some(word & RULE)
    }

    /// Keeps the rule, in the place of the older of its set.
    pub(super) fn store(self, rule: u64) {
        let [newer, older] = self.ways;
        older.store(newer.load(Ordering::Relaxed), Ordering::Relaxed);
        newer.store(self.tag | rule, Ordering::Relaxed);
    }
}

#[cfg(not(loom))]
pub(super) use the_cache::*;

#[cfg(not(loom))]
mod the_cache {
    use super::*;

    /// The cache lies beside the program's own variables: nothing has to be made, and pages that are not used cost nothing.
    #[repr(align(64))]
    struct Cache([[AtomicU64; WAYS]; SETS]);

    static CACHE: Cache = Cache([const { [const { AtomicU64::new(0) }; WAYS] }; SETS]);

    /// Where the cache has the rule for a place, as the list `number` of modules says.
    #[inline]
    pub(in super::super) fn slot(place: u64, number: u64) -> Option<Slot<'static>> {
        Slot::of(place, number, |set| &CACHE.0[set])
    }

    /// Empties the cache.
    #[cfg(unkai_internals)]
    pub(in super::super) fn forget() {
        for way in CACHE.0.iter().flatten() {
            way.store(0, Ordering::Relaxed);
        }
    }

    /// Bytes that the cache takes.
    pub(in super::super) fn bytes() -> usize {
        size_of::<Cache>()
    }
}

#[cfg(all(test, loom))]
mod models {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    type Set = [AtomicU64; WAYS];

    /// Of two places that share a set.
    fn slot(set: &Set, page: u64) -> Slot<'_> {
        Slot::of(page << PAGE_BITS, 3, |_| set).unwrap()
    }

    /// Threads that store rules of two places at once, and of one place over another's: each finds the rule of its place, or none.
    #[test]
    fn no_rule_is_taken_for_that_of_another_place() {
        loom::model(|| {
            let set = Arc::new([0, 0].map(AtomicU64::new));
            slot(&set, 1).store(1);
            let others = [2, 3].map(|page| {
                let set = Arc::clone(&set);
                thread::spawn(move || slot(&set, page).store(page))
            });
            for page in [1, 2] {
                assert!([None, Some(page)].contains(&slot(&set, page).load()));
            }
            others.map(|other| other.join().unwrap());
            let kept = [1, 2, 3].map(|page| slot(&set, page).load());
            assert!(
                kept.iter()
                    .zip([1, 2, 3])
                    .all(|(rule, page)| rule.is_none_or(|rule| rule == page))
            );
            assert!(kept[1].or(kept[2]).is_some(), "the last that was stored");
        });
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Two places share a word only if they share the page, the list and the set: and then they are the same place.
    #[test]
    fn a_word_names_one_place() {
        let name = |place, number| {
            let slot = slot(place, number).unwrap();
            (slot.ways.as_ptr() as usize, slot.tag)
        };
        for page in [0x5555_5555_4000, 0x7fff_ffff_d000, 0x1000] {
            let mut names: Vec<_> = (0..4096).map(|low| name(page + low, 3)).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), 4096);
            assert_ne!(name(page, 3), name(page, 4));
            assert_ne!(name(page, 3), name(page + 4096, 3));
        }
        assert!(slot(1 << 47, 0).is_none());
    }

    #[test]
    fn a_set_keeps_its_two_newest_rules() {
        let set = [0, 0].map(AtomicU64::new);
        let slots = [1, 2, 3].map(|page| Slot::of(page << PAGE_BITS, 5, |_| &set).unwrap());
        slots[0].store(8);
        slots[1].store(16);
        assert_eq!(slots.map(Slot::load), [Some(8), Some(16), None]);
        slots[2].store(24);
        assert_eq!(slots.map(Slot::load), [None, Some(16), Some(24)]);
    }

    /// Threads look up places that crowd into two sets, each time as a walk does.
    #[test]
    fn a_crowd_finds_its_own_rules_only() {
        const THREADS: u64 = 4;
        let sets = [(); 2].map(|()| [0, 0].map(AtomicU64::new));
        let rule_of = |place: u64| place.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - RULE_BITS);
        let found: u64 = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|number| {
                    let sets = &sets;
                    scope.spawn(move || {
                        let mut random = number + 1;
                        let mut found = 0;
                        for _ in 0..200_000 {
                            random ^= random << 13;
                            random ^= random >> 7;
                            random ^= random << 17;
                            let place = (1 + random % 5) << PAGE_BITS;
                            let slot =
                                Slot::of(place, 0, |_| &sets[(place >> PAGE_BITS) as usize % 2])
                                    .unwrap();
                            match slot.load() {
                                Some(rule) => {
                                    assert_eq!(rule, rule_of(place));
                                    found += 1;
                                }
                                None => slot.store(rule_of(place)),
                            }
                        }
                        found
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        assert!(found > 100_000, "{found}");
    }
}

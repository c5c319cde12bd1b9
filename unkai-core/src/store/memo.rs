//! What is known of stacks that were seen lately, by their hash: one look instead of a walk through the trie, frame by frame.
//! One memo leads from whole stacks to their sites, another from their outer parts to nodes of the trie.
//!
//! ```text
//!  hash of a stack ──▶ set of two entries:  tag (40 bits) │ number + 1 (24 bits)
//! ```
//!
//! A cache: entries are overwritten, nothing is owed to them, and each is one word, so that any thread may read and write
//! at any time. A stack takes another's number if both have the same 51 bits of their hash *and* the other was seen lately:
//! in a program with a thousand stacks that meets one sample in some trillions.

use super::region::Region;
use crate::sync::{AtomicU64, Ordering};

/// Numbers of stacks that were seen lately.
#[derive(Debug)]
pub(crate) struct Memo {
    entries: Region<AtomicU64>,
}

/// A hash of a whole stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StackHash(u64);

impl StackHash {
    /// The hash of these frames, which are the whole stack or, if it is truncated, the inner part of it.
    #[inline]
    pub(crate) fn of(frames: &[u64], truncated: bool) -> Self {
        Self(SEEDS[usize::from(truncated)]).and(frames)
    }

    /// The hash of these frames after those of `self`.
    #[inline]
    pub(crate) fn and(self, frames: &[u64]) -> Self {
        let mut hash = self.0 ^ frames.len() as u64;
        let mut pairs = frames.chunks_exact(2);
        for pair in &mut pairs {
            // Each multiplication takes in two frames, and spreads them over 128 bits.
            hash = folded(hash ^ pair[0], pair[1] ^ SECRET);
        }
        if let [last] = pairs.remainder() {
            hash = folded(hash ^ last, SECRET);
        }
        Self(folded(hash, FINAL))
    }
}

impl Memo {
    pub(crate) fn new() -> Option<Self> {
        Some(Self {
            entries: Region::new(SETS * WAYS)?,
        })
    }

    /// The number of a stack, if it was kept and not overwritten since.
    #[inline]
    pub(crate) fn find(&self, hash: StackHash) -> Option<u32> {
        // Acquire: pairs with the Release in `keep`, so that a node's fields are seen.
        self.set(hash).iter().find_map(|entry| {
            let entry = entry.load(Ordering::Acquire);
            let number = (entry & NUMBER) as u32;
            (entry & TAG == hash.0 & TAG && number != 0).then(|| number - 1)
        })
    }

    /// Keeps the number of a stack, in the place of the older of its set.
    pub(crate) fn keep(&self, hash: StackHash, number: u32) {
        let number = u64::from(number) + 1;
        if let [newer, older] = self.set(hash)
            && number <= NUMBER
        {
            older.store(newer.load(Ordering::Acquire), Ordering::Release);
            newer.store(hash.0 & TAG | number, Ordering::Release);
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        (self.entries.len() * size_of::<AtomicU64>()) as u64
    }

    #[inline]
    fn set(&self, hash: StackHash) -> &[AtomicU64] {
        // The tag is the upper part of the hash, so the set comes from the lower.
        let start = hash.0 as usize % SETS * WAYS;
        &self.entries[start..start + WAYS]
    }
}

/// Both halves of a 128-bit product.
#[inline(always)]
fn folded(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    product as u64 ^ (product >> 64) as u64
}

const SEEDS: [u64; 2] = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344];
const SECRET: u64 = 0xa409_3822_299f_31d0;
const FINAL: u64 = 0x9e37_79b9_7f4a_7c15;

/// Bits of an entry that are a number; the others are the tag.
const NUMBER: u64 = (1 << 24) - 1;
const TAG: u64 = !NUMBER;

/// 32 KiB in all: a few stacks touch a page or two.
#[cfg(not(loom))]
const SETS: usize = 2048;
#[cfg(loom)]
const SETS: usize = 1;
const WAYS: usize = 2;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::probe::sampler::Random;

    fn stack(number: u64) -> [u64; 5] {
        // Stacks that differ in one frame only, as those of one program do.
        let mut frames = [
            0x5555_5555_1000,
            0x5555_5555_2000,
            0x5555_5555_3000,
            0x5555_5555_4000,
            7,
        ];
        frames[number as usize % 5] += number / 5 * 16;
        frames
    }

    #[test]
    fn a_stack_that_was_kept_is_found_until_two_others_take_its_place() {
        let memo = Memo::new().unwrap();
        let hash = |set: u64, tag: u64| StackHash(tag << 24 | set);
        memo.keep(hash(9, 1), 0);
        memo.keep(hash(9, 2), 5);
        assert_eq!(memo.find(hash(9, 1)), Some(0));
        assert_eq!(memo.find(hash(9, 2)), Some(5));
        assert_eq!(memo.find(hash(9, 3)), None);
        assert_eq!(memo.find(hash(8, 1)), None);
        memo.keep(hash(9, 3), 6);
        assert_eq!(memo.find(hash(9, 1)), None);
        assert_eq!(memo.find(hash(9, 2)), Some(5));
        memo.keep(hash(9, 4), NUMBER as u32);
        assert_eq!(
            memo.find(hash(9, 4)),
            None,
            "a number too large is not kept"
        );
    }

    #[test]
    fn similar_stacks_have_different_hashes() {
        // Among 2^20 hashes of 51 bits, two are equal with a probability of 2^40 / 2 / 2^51: one in four thousand.
        let bits = |hash: StackHash| hash.0 & (TAG | (SETS as u64 - 1));
        let mut seen: Vec<u64> = (5..1 << 20)
            .map(|number| bits(StackHash::of(&stack(number), false)))
            .collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), (1 << 20) - 5);
        let hashes = [
            StackHash::of(&[1, 2], false),
            StackHash::of(&[1, 2], true),
            StackHash::of(&[1, 2, 0], false),
            StackHash::of(&[2, 1], false),
            StackHash::of(&[], false),
        ];
        for (index, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..index].contains(hash), "{hashes:?}");
        }
    }

    #[test]
    fn threads_that_overwrite_each_other_get_their_own_site_or_none() {
        let memo = Memo::new().unwrap();
        std::thread::scope(|scope| {
            for seed in 0..4 {
                let memo = &memo;
                scope.spawn(move || {
                    let mut random = Random::new(seed);
                    let mut found = 0;
                    for _ in 0..200_000 {
                        // 16,384 stacks over 4,096 entries.
                        let number = 5 + random.next() % 16_384;
                        let hash = StackHash::of(&stack(number), false);
                        match memo.find(hash) {
                            Some(site) => {
                                assert_eq!(u64::from(site), number);
                                found += 1;
                            }
                            None => memo.keep(hash, number as u32),
                        }
                    }
                    assert!(found > 10_000, "{found}");
                });
            }
        });
    }
}

#[cfg(all(test, loom))]
mod models {
    use super::*;
    use loom::sync::Arc;

    /// Two threads overwrite a set with three stacks' sites: whoever finds a stack finds its own site.
    #[test]
    fn a_stack_never_has_anothers_site() {
        loom::model(|| {
            let memo = Arc::new(Memo::new().unwrap());
            let hash = |tag: u64| StackHash(tag << 24);
            let right = move |memo: &Memo, tag: u64| {
                let found = memo.find(hash(tag));
                assert!(found.is_none_or(|site| u64::from(site) == tag));
            };
            let other = Arc::clone(&memo);
            let thread = loom::thread::spawn(move || {
                other.keep(hash(1), 1);
                other.keep(hash(2), 2);
                right(&other, 3);
            });
            memo.keep(hash(3), 3);
            right(&memo, 1);
            right(&memo, 2);
            thread.join().unwrap();
            (1..=3).for_each(|tag| right(&memo, tag));
        });
    }
}

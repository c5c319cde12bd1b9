//! The other collections of std, with the feature `nightly`: what they hold is charged exactly, and a limit refuses through their
//! fallible methods and harms nothing. A `BTreeMap` has none.

use std::collections::{BTreeMap, VecDeque};

use unkai_allocator::{Unkai, UnkaiGlobal};

use crate::support::limited;

#[test]
fn a_deque_reports_its_capacity() {
    let mut deque: VecDeque<u32, UnkaiGlobal> = VecDeque::new_in(Unkai::default());
    for n in 0..1000 {
        deque.push_front(n);
        assert_eq!(deque.allocator().usage().bytes, 4 * deque.capacity());
    }
}

#[test]
fn a_tree_reports_its_nodes_and_ends_at_zero() {
    let handle = UnkaiGlobal::default();
    let mut map = BTreeMap::new_in(handle.clone());
    for n in 0..1000_u64 {
        map.insert(n, n * n);
    }
    assert!(handle.usage().bytes >= 1000 * 16);
    assert!(handle.usage().blocks > 1000 / 12);
    drop(map);
    assert_eq!((handle.usage().bytes, handle.usage().blocks), (0, 0));
}

#[test]
fn a_deque_at_its_limit_keeps_its_elements_and_grows_again_when_there_is_room() {
    let (handle, scope) = limited(10_000);
    let other: VecDeque<u8, _> = VecDeque::with_capacity_in(5000, handle.clone());
    let mut words: VecDeque<u64, _> = VecDeque::new_in(handle);
    while words.try_reserve(1).is_ok() {
        words.push_front(words.len() as u64);
        assert_eq!(scope.used(), 5000 + 8 * words.capacity());
    }
    assert!(words.iter().rev().copied().eq(0..512));
    drop(other);
    assert!(words.try_reserve(1).is_ok());
    words.push_front(512);
    assert!(words.iter().rev().copied().eq(0..513));
    assert_eq!((scope.used(), scope.usage().blocks), (8192, 1));
    drop(words);
    assert_eq!((scope.used(), scope.usage().blocks), (0, 0));
}

#[test]
fn a_tree_takes_what_there_is_room_for_and_goes_on_after_a_refusal_elsewhere() {
    let (handle, scope) = limited(100_000);
    let mut map = BTreeMap::new_in(handle.clone());
    for n in 0..1000_u64 {
        map.insert(n, n * n);
    }
    // What it will need is asked for ahead, where an answer is possible: `insert` gives none.
    assert!(scope.headroom() < Some(90_000));
    assert!(Box::try_new_in([0_u8; 90_000], handle).is_err());
    for n in 1000..2000_u64 {
        map.insert(n, n * n);
    }
    assert!(map.iter().all(|(n, square)| n * n == *square));
    assert!(scope.peak() <= 100_000);
    map.clear();
    assert_eq!((scope.used(), scope.usage().blocks), (0, 0));
}

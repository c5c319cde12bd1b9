//! Collections of std, with the feature `nightly`.

use std::collections::{BTreeMap, VecDeque};

use unkai_allocator::{Unkai, UnkaiGlobal};

#[test]
fn a_vec_with_room_for_ten_thousand_words_reports_80000() {
    let words = Vec::<usize, UnkaiGlobal>::with_capacity_in(10000, Unkai::default());
    let expected = 10_000 * size_of::<usize>();
    assert_eq!(words.allocator().report_usage(), expected as isize);
    #[cfg(target_pointer_width = "64")]
    assert_eq!(words.allocator().report_usage(), 80000);
}

#[test]
fn a_vec_reports_its_capacity_however_it_changes() {
    let mut words: Vec<u16, UnkaiGlobal> = Vec::new_in(Unkai::default());
    for n in 0..10_000 {
        words.push(n);
        assert_eq!(words.allocator().usage().bytes, 2 * words.capacity());
    }
    words.truncate(17);
    words.shrink_to_fit();
    assert_eq!(words.allocator().usage().bytes, 34);
}

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
fn boxes_report_the_size_of_what_they_hold() {
    let handle = UnkaiGlobal::default();
    let boxes: Vec<_> = (0..10_u8)
        .map(|n| Box::new_in([n; 100], handle.clone()))
        .collect();
    assert_eq!((handle.usage().bytes, handle.usage().blocks), (1000, 10));
    drop(boxes);
    assert_eq!((handle.usage().bytes, handle.usage().blocks), (0, 0));
}

//! `Vec` and `Box` of the build's own kind: what they hold is charged exactly, and a limit refuses through their fallible
//! methods and harms nothing.

use unkai_allocator::api::{Box, Vec};
use unkai_allocator::{Unkai, UnkaiGlobal, last_refusal};

use crate::support::limited;

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
    let mut bytes: Vec<u16, UnkaiGlobal> = Vec::new_in(Unkai::default());
    assert_eq!(bytes.allocator().usage().blocks, 0);
    for n in 0..10_000 {
        bytes.push(n);
        let capacity = 2 * bytes.capacity();
        assert_eq!(bytes.allocator().usage().bytes, capacity);
    }
    bytes.truncate(17);
    bytes.shrink_to_fit();
    assert_eq!(bytes.allocator().usage().bytes, 34);
    assert_eq!(bytes.allocator().usage().blocks, 1);
}

#[test]
fn a_vec_at_its_limit_keeps_its_elements_and_grows_again_when_there_is_room() {
    let (handle, scope) = limited(10_000);
    let other: Vec<u8, _> = Vec::with_capacity_in(5000, handle.clone());
    let mut words: Vec<u64, _> = Vec::new_in(handle);
    let refused_at = (0..).find(|&n| {
        let refused = words.try_reserve(1).is_err();
        if !refused {
            words.push(n);
        }
        assert_eq!(scope.used(), 5000 + 8 * words.capacity());
        refused
    });
    // 512 words fit beside the other vector, and 1024 do not.
    assert_eq!(refused_at, Some(512));
    assert!(words.iter().copied().eq(0..512));
    assert_eq!(last_refusal().unwrap().requested(), 8 * 512);

    drop(other);
    assert!(words.try_reserve(1).is_ok());
    words.push(512);
    assert!(words.iter().copied().eq(0..513));
    assert_eq!((scope.used(), scope.usage().blocks), (8192, 1));
    drop(words);
    assert_eq!((scope.used(), scope.usage().blocks), (0, 0));
}

#[test]
fn boxes_report_the_size_of_what_they_hold() {
    let handle = UnkaiGlobal::default();
    let boxes: std::vec::Vec<_> = (0..10_u8)
        .map(|n| Box::new_in([n; 100], handle.clone()))
        .collect();
    assert_eq!((handle.usage().bytes, handle.usage().blocks), (1000, 10));
    drop(boxes);
    assert_eq!((handle.usage().bytes, handle.usage().blocks), (0, 0));
    assert_eq!(handle.usage().peak_bytes, 1000);
}

#[test]
fn as_many_boxes_fit_a_limit_as_it_has_room_for() {
    let (handle, scope) = limited(1000);
    let new = |n: u8| Box::try_new_in([n; 96], handle.clone());
    let mut boxes: std::vec::Vec<_> = (0..).map_while(|n| new(n).ok()).collect();
    assert_eq!(
        (boxes.len(), scope.used(), scope.usage().blocks),
        (10, 960, 10)
    );
    assert!(boxes.iter().zip(0..).all(|(bytes, n)| **bytes == [n; 96]));

    boxes.remove(3);
    boxes.push(new(99).unwrap());
    assert!(new(100).is_err());
    assert_eq!(scope.used(), 960);
    drop(boxes);
    assert_eq!((scope.used(), scope.usage().blocks), (0, 0));
}

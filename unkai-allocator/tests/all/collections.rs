//! Collections of `allocator-api2` and hashbrown, on stable Rust.

use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec;
use hashbrown::{DefaultHashBuilder, HashMap};
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
fn a_hash_map_reports_its_table() {
    let handle = UnkaiGlobal::default();
    let mut map: HashMap<u64, u64, DefaultHashBuilder, UnkaiGlobal> =
        HashMap::new_in(handle.clone());
    assert_eq!(handle.report_usage(), 0);
    for n in 0..1000 {
        map.insert(n, n * n);
        assert_eq!(handle.usage().bytes, map.allocation_size());
        assert_eq!(handle.usage().blocks, 1);
    }
    drop(map);
    assert_eq!((handle.usage().bytes, handle.usage().blocks), (0, 0));
}

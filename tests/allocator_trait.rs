//! Code that was written for unkai 0.2.0's `Unkai<A>` compiles and reports the same.
#![cfg(feature = "allocator")]
#![cfg_attr(feature = "nightly", feature(allocator_api))]

use std::panic::Location;

#[cfg(not(feature = "nightly"))]
use allocator_api2::{alloc::Global, vec::Vec};
#[cfg(feature = "nightly")]
use std::alloc::Global;
use unkai::{Unkai, UnkaiGlobal};

#[cfg(target_pointer_width = "64")]
#[test]
fn a_vec_with_room_for_ten_thousand_words_reports_80000() {
    let words: Vec<usize, UnkaiGlobal> = Vec::with_capacity_in(10000, Unkai::default());
    assert_eq!(words.allocator().report_usage(), 80000);
    let words = Vec::<usize, UnkaiGlobal>::with_capacity_in(10000, Unkai::default());
    assert_eq!(words.allocator().report_usage(), 80000);
}

#[test]
fn the_names_of_0_2_0_are_there() {
    let (made, line): (Unkai<Global>, u32) = (Unkai::new(Global), line!());
    let clone: UnkaiGlobal = made.clone();
    let bytes: Vec<u8, Unkai<Global>> = Vec::with_capacity_in(7, clone);
    let usage: isize = made.report_usage();
    let caller: &'static Location<'static> = made.report_caller();
    assert_eq!(usage, 7);
    assert_eq!((caller.file(), caller.line()), (file!(), line));
    drop(bytes);
    assert_eq!(made.report_usage(), 0);
}

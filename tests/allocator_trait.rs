//! Code that was written for unkai 0.2.0's `Unkai<A>` compiles and reports the same, and what was added since can be
//! named by who depends on `unkai` alone.
#![cfg(feature = "allocator")]
#![cfg_attr(feature = "nightly", feature(allocator_api))]

use std::panic::Location;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use unkai::api::{Global, Vec};
use unkai::{
    Bounds, BuildError, Consumer, HighEvent, Leak, MAX_DEPTH, Omitted, OnExhausted, ReclaimRequest,
    ReclaimTried, Reclaimer, Refusal, RefusalCause, Refused, Registration, Reservation, Reserve,
    Scope, ScopeBuilder, ScopeSnapshot, TreeSnapshot, Unkai, UnkaiGlobal, Usage,
    forget_last_refusal, last_refusal,
};

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

#[test]
fn every_name_around_scopes_is_there() -> Result<(), Box<dyn std::error::Error>> {
    let builder: ScopeBuilder<'_> = Scope::root("process").limit(1000).high(800);
    let process: Scope = builder.build()?;
    let (to_us, high_events) = mpsc::channel();
    let high: Registration = process.on_high(move |event: &HighEvent<'_>| {
        to_us.send((event.path().to_owned(), event.high())).unwrap();
    });

    let cache = process.child("cache").build()?;
    let pages: Reservation = cache.try_reserve(700)?;
    let reclaimer: Registration = process.on_reclaim(0, Cache(Mutex::new(Some(pages))));
    let first = process.try_reserve(200)?;
    assert_eq!(high_events.try_recv()?, ("process".to_owned(), 800));

    let timeout = Duration::from_secs(60);
    let reserve: Reserve = process.reserve(500, OnExhausted::Wait { timeout });
    let second = reserve.blocking()?;
    let usage: Usage = process.usage();
    assert_eq!((usage.bytes, usage.blocks, cache.used()), (700, 2, 0));

    let query: UnkaiGlobal = Unkai::in_scope(Global, &process.child("query").build()?);
    let rows: Vec<u8, UnkaiGlobal> = Vec::with_capacity_in(100, query);
    let refused: Option<Refused> = process.charge(500).err();
    assert_eq!(refused, Some(Refused));
    let refusal: Refusal = last_refusal().unwrap();
    assert_eq!(refusal.cause(), RefusalCause::Limit);
    let tried: ReclaimTried = refusal.reclaim();
    assert_eq!(tried.bytes, 0);
    let largest: &Consumer = refusal.largest().next().unwrap();
    assert_eq!(largest.path(), "process/query");
    forget_last_refusal();
    assert!(last_refusal().is_none());

    let tree: TreeSnapshot = process.snapshot(Bounds::new().top(1));
    let root: &ScopeSnapshot = &tree.scopes()[0];
    let omitted: Omitted = root.omitted;
    assert_eq!((root.used, omitted.scopes), (800, 1));

    drop((high, reclaimer));
    let leak: Leak = process.close().unwrap_err();
    assert_eq!((leak.path(), leak.bytes()), ("process", 800));
    drop((first, second, rows));
    Ok(())
}

#[test]
fn the_depth_of_a_tree_is_limited_by_a_number_with_a_name() -> Result<(), BuildError> {
    let mut scope = Scope::root("level 0").build()?;
    for level in 1..=MAX_DEPTH {
        scope = scope.child(&format!("level {level}")).build()?;
    }
    let too_deep = scope.child("one more").build();
    assert!(matches!(too_deep, Err(BuildError::TooDeep)));
    Ok(())
}

/// Gives up everything at once.
struct Cache(Mutex<Option<Reservation>>);

impl Reclaimer for Cache {
    fn reclaim(&self, request: &ReclaimRequest<'_>) -> usize {
        assert_eq!(request.path(), "process");
        let pages = self.0.lock().unwrap().take();
        pages.map_or(0, |pages| pages.bytes())
    }
}

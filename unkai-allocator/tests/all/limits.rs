//! What a limit does to what is taken through a handle, whichever collection asks.

use std::alloc::Layout;
use std::hint::black_box;
use std::mem::ManuallyDrop;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::support::{Behaviour, Checking};
use unkai_allocator::api::{Allocator, Box, Global, Vec};
use unkai_allocator::{
    Bounds, BuildError, MAX_DEPTH, OnExhausted, ReclaimRequest, RefusalCause, Scope, Unkai,
    UnkaiGlobal, forget_last_refusal, last_refusal,
};

fn limited(name: &str, limit: usize) -> (UnkaiGlobal, Scope) {
    let scope = Scope::root(name).limit(limit).build().unwrap();
    (Unkai::in_scope(Global, &scope), scope)
}

fn held(scope: &Scope) -> (usize, usize) {
    (scope.usage().bytes, scope.usage().blocks)
}

#[test]
fn a_limit_of_0_refuses_the_first_byte_and_nothing_that_takes_none() {
    let (handle, scope) = limited("nothing", 0);
    let mut bytes: Vec<u8, _> = Vec::new_in(handle.clone());
    let units: Vec<(), _> = Vec::with_capacity_in(1000, handle.clone());
    let unit = Box::new_in((), handle.clone());
    assert!(bytes.try_reserve(1).is_err());
    assert!(Box::try_new_in(1_u8, handle).is_err());
    let refusal = last_refusal().unwrap();
    assert_eq!(
        (refusal.limit(), refusal.used(), refusal.requested()),
        (Some(0), 0, 1)
    );
    drop((bytes, units, unit));
    assert_eq!((held(&scope), scope.peak()), ((0, 0), 0));
}

#[test]
fn the_last_byte_below_a_limit_is_given_and_the_next_is_not() {
    for limit in [1, 7, 4096, 65_536, 1 << 20] {
        let (handle, scope) = limited("exact", limit);
        let mut bytes: Vec<u8, _> = Vec::new_in(handle.clone());
        assert!(bytes.try_reserve_exact(limit + 1).is_err());
        assert!(bytes.try_reserve_exact(limit).is_ok());
        assert_eq!(held(&scope), (limit, 1));
        assert!(Box::try_new_in(0_u8, handle).is_err());
        assert_eq!((held(&scope), scope.peak()), ((limit, 1), limit));
    }
}

#[test]
fn the_largest_layout_is_refused_by_a_limit_and_by_the_system_without_one() {
    let largest = Layout::from_size_align(isize::MAX as usize, 1).unwrap();

    let (handle, scope) = limited("small", 1 << 30);
    assert!(handle.allocate(largest).is_err());
    assert!(handle.allocate_zeroed(largest).is_err());
    let refusal = last_refusal().unwrap();
    assert_eq!(refusal.requested(), isize::MAX as usize);
    assert_eq!((held(&scope), scope.peak()), ((0, 0), 0));

    // Without a limit it is the inner allocator that has not got so much; the scope was never in the way.
    forget_last_refusal();
    let handle = UnkaiGlobal::default();
    // Without the black box, the compiler leaves an allocation that nobody uses out, as if it had been served.
    assert!(black_box(handle.allocate(largest)).is_err());
    assert!(last_refusal().is_none());
    assert_eq!((handle.usage().bytes, handle.usage().peak_bytes), (0, 0));
}

#[test]
fn a_growth_to_the_largest_layout_leaves_the_block_as_it_was() {
    for limit in [None, Some(1000)] {
        let handle = UnkaiGlobal::default();
        handle.scope().set_limit(limit);
        let mut bytes: Vec<u8, _> = Vec::new_in(handle.clone());
        bytes.extend_from_slice(&[7; 100]);
        assert!(bytes.try_reserve_exact(isize::MAX as usize - 100).is_err());
        assert!(bytes.try_reserve(usize::MAX).is_err());
        assert_eq!(bytes[..], [7; 100]);
        assert_eq!((handle.usage().bytes, handle.usage().blocks), (100, 1));
    }
}

#[test]
fn a_sum_beyond_the_address_space_is_refused_and_does_not_wrap() {
    let handle = UnkaiGlobal::default();
    let scope = handle.scope().clone();
    // What exists together fits an `isize`, as a single block does.
    let half = isize::MAX as usize / 2;
    let one = scope.try_reserve(half).unwrap();
    let other = scope.try_reserve(half).unwrap();
    let mut bytes: Vec<u8, _> = Vec::new_in(handle);
    assert!(bytes.try_reserve_exact(10).is_err());
    let refusal = last_refusal().unwrap();
    assert_eq!((refusal.limit(), refusal.used()), (None, 2 * half));
    assert!(scope.try_reserve(usize::MAX).is_err());
    drop((one, other));
    assert!(bytes.try_reserve_exact(10).is_ok());
    assert_eq!(held(&scope), (10, 1));
}

#[test]
fn a_limit_lowered_below_what_is_held_stops_growth_lets_go_and_grants_again() {
    let (handle, scope) = limited("lowered", 10_000);
    let mut first: Vec<u8, _> = Vec::with_capacity_in(4000, handle.clone());
    let second: Vec<u8, _> = Vec::with_capacity_in(4000, handle.clone());
    assert_eq!(scope.set_limit(Some(5000)), 3000);

    assert!(first.try_reserve_exact(4001).is_err());
    assert!(Box::try_new_in(0_u8, handle.clone()).is_err());
    assert_eq!(
        held(&scope),
        (8000, 2),
        "what is held already is not touched"
    );

    // A reduction is granted though the scope is above its limit, and so is a free.
    first.extend_from_slice(&[1; 2000]);
    first.shrink_to_fit();
    assert_eq!((held(&scope), first.len()), ((6000, 2), 2000));
    assert!(
        first.try_reserve_exact(100).is_err(),
        "still above the limit"
    );
    drop(second);
    assert!(first.try_reserve_exact(1000).is_ok());
    assert_eq!(held(&scope), (3000, 1));
    assert!(first.try_reserve_exact(3001).is_err());

    assert_eq!(scope.set_limit(None), 0);
    assert!(first.try_reserve_exact(30_000).is_ok());
    assert_eq!(held(&scope), (32_000, 1));
    drop(first);
    assert_eq!(held(&scope), (0, 0));
}

#[test]
fn limits_hold_though_all_handles_to_the_scopes_above_are_dropped() {
    let process = Scope::root("process").limit(10_000).build().unwrap();
    let tenant = process.child("tenant").limit(2000).build().unwrap();
    let query = tenant.child("query").limit(1000).build().unwrap();
    let (of_query, of_tenant) = (
        Unkai::in_scope(Global, &query),
        Unkai::in_scope(Global, &tenant),
    );
    drop((process, tenant, query));

    let mut rows: Vec<u8, _> = Vec::with_capacity_in(900, of_query);
    assert!(rows.try_reserve_exact(1001).is_err());
    assert_eq!(last_refusal().unwrap().path(), "process/tenant/query");
    let mut names: Vec<u8, _> = Vec::with_capacity_in(1000, of_tenant);
    assert!(names.try_reserve_exact(1101).is_err());
    assert_eq!(last_refusal().unwrap().path(), "process/tenant");

    // The way up is still there.
    let process = names.allocator().scope().parent().unwrap();
    assert_eq!((process.path(), process.used()), ("process", 1900));
    drop((rows, names));
    assert_eq!(held(&process), (0, 0));
}

#[test]
fn a_refusal_names_the_level_without_room_and_who_holds_most_there() {
    let (process, root) = limited("process", 10_000);
    let (small, large) = (
        process.child("small").unwrap(),
        process.child("large").unwrap(),
    );
    let _one: Vec<u8, _> = Vec::with_capacity_in(1000, small.clone());
    let _other: Vec<u8, _> = Vec::with_capacity_in(7000, large.clone());
    let mut more: Vec<u16, _> = Vec::new_in(small.clone());
    assert!(more.try_reserve_exact(1001).is_err());

    let refusal = last_refusal().unwrap();
    assert_eq!(refusal.cause(), RefusalCause::Limit);
    assert_eq!(
        (refusal.path(), refusal.asked_by()),
        ("process", "process/small")
    );
    assert_eq!((refusal.used(), refusal.requested()), (8000, 2002));
    let largest: std::vec::Vec<_> = refusal
        .largest()
        .map(|consumer| (consumer.name(), consumer.reserved()))
        .collect();
    assert_eq!(largest, [("large", 7000), ("small", 1000)]);
    assert_eq!(root.snapshot(Bounds::all()).scopes()[0].refused, 1);
}

#[test]
fn a_child_is_charged_below_its_parent_over_the_same_inner_allocator() {
    let checking = Checking::new(Behaviour::default());
    let parent = Unkai::new(checking.clone());
    let child = parent.child("index").unwrap();
    assert_eq!(child.scope().name(), "index");
    assert!(child.scope().parent().unwrap().is_same(parent.scope()));
    assert!(child.report_caller().file().ends_with("limits.rs"));

    let bytes: Vec<u8, _> = Vec::with_capacity_in(300, child.clone());
    assert_eq!((child.usage().bytes, parent.usage().bytes), (300, 300));
    assert_eq!(checking.held(), (300, 1));
    parent.scope().set_limit(Some(400));
    assert!(Box::try_new_in([0_u8; 101], child.clone()).is_err());
    let _own = Box::try_new_in([0_u8; 100], parent.clone()).unwrap();
    assert_eq!((child.usage().bytes, parent.usage().bytes), (300, 400));
    drop(bytes);
    assert_eq!((child.usage().bytes, parent.usage().bytes), (0, 100));
}

#[test]
fn children_go_as_deep_as_is_said_and_no_deeper() {
    let mut handle = UnkaiGlobal::default();
    let root = handle.scope().clone();
    for _ in 0..MAX_DEPTH {
        handle = handle.child("below").unwrap();
    }
    assert!(matches!(handle.child("below"), Err(BuildError::TooDeep)));
    root.set_limit(Some(100));
    let mut bytes: Vec<u8, _> = Vec::with_capacity_in(60, handle);
    assert!(bytes.try_reserve_exact(101).is_err());
    assert_eq!(last_refusal().unwrap().path(), root.path());
    drop(bytes);
    assert_eq!(held(&root), (0, 0));
}

#[test]
fn what_the_inner_allocator_refuses_leaves_no_trace_and_is_no_refusal_of_a_limit() {
    let scope = Scope::root("over a poor heap")
        .limit(10_000)
        .build()
        .unwrap();
    for number in 1..=4 {
        let checking = Checking::new(Behaviour {
            fail_at: Some(number),
            ..Behaviour::default()
        });
        let handle = Unkai::in_scope(checking.clone(), &scope);
        forget_last_refusal();
        scope.reset_peak();
        let mut bytes: Vec<u8, _> = Vec::new_in(handle);
        let mut refused = 0;
        for size in [100, 200, 400, 800] {
            let before = held(&scope);
            if bytes.try_reserve_exact(size).is_err() {
                refused += 1;
                assert_eq!(held(&scope), before);
                assert!(scope.peak() <= before.0);
            }
            assert_eq!(held(&scope), checking.held());
        }
        assert_eq!(refused, 1);
        assert!(last_refusal().is_none());
        drop(bytes);
        assert_eq!(held(&scope), (0, 0));
    }
}

#[test]
fn a_reclaimer_makes_room_and_the_request_is_served() {
    let (process, root) = limited("process", 1000);
    let cache = Arc::new(Mutex::new(std::vec::Vec::new()));
    let of_cache = process.child("cache").unwrap();
    for n in 0..8_u8 {
        let page = Box::try_new_in([n; 100], of_cache.clone()).unwrap();
        cache.lock().unwrap().push(page);
    }
    let shrunk = Arc::clone(&cache);
    let _registered = of_cache
        .scope()
        .on_reclaim(0, move |request: &ReclaimRequest<'_>| {
            let Ok(mut pages) = shrunk.try_lock() else {
                return 0;
            };
            let keep = pages.len() - pages.len().min(request.bytes().div_ceil(100));
            pages.drain(keep..).count() * 100
        });

    let query = process.child("query").unwrap();
    let mut rows: Vec<u8, _> = Vec::new_in(query);
    assert!(rows.try_reserve_exact(500).is_ok());
    // 300 were missing; a quarter more is asked for.
    assert_eq!((cache.lock().unwrap().len(), root.used()), (4, 900));
    assert!(root.peak() <= 1000);

    // With the lock in the asker's own hands there is nothing to be had, and no deadlock.
    let pages = cache.lock().unwrap();
    assert!(rows.try_reserve_exact(601).is_err());
    let tried = last_refusal().unwrap().reclaim();
    assert!(tried.calls >= 1 && tried.bytes == 0, "{tried:?}");
    drop(pages);
    assert!(rows.try_reserve_exact(601).is_ok());
}

#[test]
fn a_panic_in_a_reclaimer_ends_there_and_the_request_is_refused() {
    let (handle, scope) = limited("over", 1000);
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let registered = scope.on_reclaim(0, move |_: &ReclaimRequest<'_>| -> usize {
        counted.fetch_add(1, Ordering::Relaxed);
        // A panic that says nothing on the terminal.
        resume_unwind(std::boxed::Box::new("on purpose"))
    });
    let mut bytes: Vec<u8, _> = Vec::with_capacity_in(900, handle.clone());
    assert!(bytes.try_reserve_exact(1001).is_err());
    let tried = last_refusal().unwrap().reclaim();
    assert!(calls.load(Ordering::Relaxed) >= 1);
    assert_eq!(tried.panics as usize, calls.load(Ordering::Relaxed));
    assert_eq!((held(&scope), scope.peak()), ((900, 1), 900));

    // Not poisoned: a reclaimer that works is heard after one that panics.
    let spare = Mutex::new(Some(Box::try_new_in([0_u8; 100], handle).unwrap()));
    let _other = scope.on_reclaim(1, move |_: &ReclaimRequest<'_>| {
        let spare = spare.try_lock().map(|mut spare| spare.take());
        spare.ok().flatten().map_or(0, |spare| spare.len())
    });
    assert!(bytes.try_reserve_exact(1000).is_ok());
    drop(registered);
    drop(bytes);
    assert_eq!(held(&scope), (0, 0));
}

#[test]
fn a_collection_that_is_forgotten_is_found_when_its_scope_is_closed() {
    let (_, process) = limited("process", 10_000);
    let query = process.child("query").build().unwrap();
    let mut rows: ManuallyDrop<Vec<u8, _>> =
        ManuallyDrop::new(Vec::with_capacity_in(700, Unkai::in_scope(Global, &query)));

    let leak = query.clone().close().unwrap_err();
    assert_eq!(
        (leak.path(), leak.bytes(), leak.blocks()),
        ("process/query", 700, 1)
    );
    assert!(rows.try_reserve_exact(701).is_err());
    assert_eq!(last_refusal().unwrap().cause(), RefusalCause::Closed);

    // SAFETY: it is not used after this.
    unsafe { ManuallyDrop::drop(&mut rows) };
    assert!(query.close().is_ok());
    assert_eq!(held(&process), (0, 0));
}

#[test]
fn blocks_that_outlive_their_last_handle_are_told_to_the_hook_and_stay_charged_above() {
    let (_, process) = limited("process", 10_000);
    let told = Arc::new(Mutex::new(std::vec::Vec::new()));
    let heard = Arc::clone(&told);
    process.on_leak(move |leak| heard.lock().unwrap().push(leak.clone()));

    let query = process.child("query").build().unwrap();
    let handle = Unkai::in_scope(Global, &query);
    drop(query);
    let layout = Layout::new::<[u64; 100]>();
    let block = handle.allocate(layout).unwrap().cast();
    assert!(told.lock().unwrap().is_empty());
    drop(handle);

    let told = told.lock().unwrap();
    let [leak] = &told[..] else {
        panic!("one leak, not {told:?}");
    };
    assert_eq!(
        (leak.path(), leak.bytes(), leak.blocks()),
        ("process/query", 800, 1)
    );
    assert!(leak.created_at().file().ends_with("limits.rs"));
    assert_eq!(held(&process), (800, 1));
    let snapshot = process.snapshot(Bounds::all());
    let [process_only] = snapshot.scopes() else {
        panic!("the query is gone, but not from {snapshot:?}");
    };
    assert_eq!(
        (process_only.leaked_bytes, process_only.leaked_blocks),
        (800, 1)
    );
    // What leaked still counts against the limit.
    assert!(process.try_reserve(9201).is_err());
    assert!(process.try_reserve(9200).is_ok());

    // SAFETY: the block is the inner allocator's, and nobody else knows it.
    unsafe { Global.deallocate(block, layout) };
}

#[test]
fn dropping_a_collection_wakes_who_waits_for_its_bytes() {
    let (handle, scope) = limited("exports", 1000);
    let rows: Vec<u8, _> = Vec::with_capacity_in(900, handle);
    let timeout = Duration::from_secs(60);
    let waiting = scope.reserve(500, OnExhausted::Wait { timeout });
    let waiter = thread::spawn(move || waiting.blocking());
    while scope.snapshot(Bounds::all()).scopes()[0].waiting == 0 {
        assert!(!waiter.is_finished(), "it did not wait");
        thread::yield_now();
    }
    drop(rows);
    let reservation = waiter.join().unwrap().unwrap();
    assert_eq!((reservation.bytes(), scope.used()), (500, 500));
}

#[test]
fn threads_that_fight_for_the_last_bytes_never_exceed_the_limit_and_end_at_zero() {
    const LIMIT: usize = 100_000;
    let (process, root) = limited("process", LIMIT);
    let (in_use, refusals) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|threads| {
        for seed in 0..4_usize {
            let handle = process.child("worker").unwrap();
            let (in_use, refusals) = (&in_use, &refusals);
            threads.spawn(move || {
                let mut kept: std::vec::Vec<Vec<u8, _>> = std::vec::Vec::new();
                for step in 0..5000_usize {
                    let size = 1 + (step * 7919 + seed * 104_729) % 20_000;
                    let mut bytes = Vec::new_in(handle.clone());
                    if bytes.try_reserve_exact(size).is_ok() {
                        // Counted after it was granted, taken out before it is freed: never more than is really held.
                        let sum = in_use.fetch_add(size, Ordering::SeqCst) + size;
                        assert!(sum <= LIMIT, "{sum} bytes at once");
                        kept.push(bytes);
                    } else {
                        refusals.fetch_add(1, Ordering::Relaxed);
                        let freed = kept.len().div_ceil(2);
                        for bytes in kept.drain(..freed) {
                            in_use.fetch_sub(bytes.capacity(), Ordering::SeqCst);
                        }
                    }
                }
                for bytes in kept {
                    in_use.fetch_sub(bytes.capacity(), Ordering::SeqCst);
                }
            });
        }
    });
    assert!(refusals.into_inner() > 0, "the limit was reached");
    assert!(root.peak() <= LIMIT);
    assert_eq!((held(&root), in_use.into_inner()), ((0, 0), 0));
}

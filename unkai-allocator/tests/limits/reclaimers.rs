//! Reclaimers: who is asked, in which order, for how much and for how long; and what they may do meanwhile.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use unkai_allocator::{
    Bounds, ReclaimRequest, Reclaimer, Registration, Reservation, Scope, last_refusal,
};

use crate::turn::my_turn;

/// Who was asked, and for how many bytes.
type Log = Arc<Mutex<Vec<(&'static str, usize)>>>;

/// A reclaimer that writes its name down and frees nothing.
fn noting(scope: &Scope, priority: i32, name: &'static str, log: &Log) -> Registration {
    let log = Arc::clone(log);
    scope.on_reclaim(priority, move |request: &ReclaimRequest<'_>| {
        log.lock().unwrap().push((name, request.bytes()));
        0
    })
}

/// A cache of reservations of 100 bytes each, which gives up as many as are asked for.
fn cache(scope: &Scope, entries: usize) -> Arc<Mutex<Vec<Reservation>>> {
    let entries = (0..entries).map(|_| scope.try_reserve(100).unwrap());
    Arc::new(Mutex::new(entries.collect()))
}

fn shrinking(cache: &Arc<Mutex<Vec<Reservation>>>) -> impl Reclaimer + 'static {
    let cache = Arc::clone(cache);
    move |request: &ReclaimRequest<'_>| {
        let mut cache = cache.lock().unwrap();
        let mut freed = 0;
        while freed < request.bytes()
            && let Some(entry) = cache.pop()
        {
            freed += entry.bytes();
        }
        freed
    }
}

fn taken(log: &Log) -> Vec<(&'static str, usize)> {
    std::mem::take(&mut log.lock().unwrap())
}

#[test]
fn the_lowest_priority_number_is_asked_first_for_a_quarter_more_than_is_missing() {
    let _turn = my_turn();
    let (log, root) = (
        Log::default(),
        Scope::root("root").limit(1000).build().unwrap(),
    );
    let query = root.child("query").build().unwrap();
    let held = query.try_reserve(900).unwrap();
    let _c = noting(&root, 5, "third", &log);
    let _a = noting(&query, -7, "first", &log);
    let _b = noting(&root, 0, "second", &log);
    let _d = noting(&root, 5, "fourth", &log);

    assert!(query.try_reserve(500).is_err());
    let expected = [
        ("first", 500),
        ("second", 500),
        ("third", 500),
        ("fourth", 500),
    ];
    assert_eq!(taken(&log), expected, "400 bytes are missing");
    // Through an allocator's charge as well.
    assert!(query.charge(104).is_err());
    assert_eq!(taken(&log)[0], ("first", 5));
    assert_eq!(last_refusal().unwrap().reclaim().calls, 4);
    // More than the limit can never be had, whatever is freed; and what there is room for needs no reclaimer.
    assert!(query.try_reserve(1001).is_err());
    assert!(query.try_reserve(100).is_ok());
    assert_eq!(taken(&log), []);
    drop(held);
}

#[test]
fn only_reclaimers_at_or_below_the_scope_without_room_are_asked() {
    let _turn = my_turn();
    let (log, root) = (
        Log::default(),
        Scope::root("root").limit(1000).build().unwrap(),
    );
    let tenant = root.child("tenant").limit(500).build().unwrap();
    let (query, sibling) = (
        tenant.child("query").build().unwrap(),
        root.child("sibling").build(),
    );
    let _above = noting(&root, 0, "above", &log);
    let _beside = noting(&sibling.unwrap(), 0, "beside", &log);
    let _at = noting(&tenant, 0, "at", &log);
    let _below = noting(&query, 0, "below", &log);
    let held = query.try_reserve(400).unwrap();
    assert_eq!(query.try_reserve(300).unwrap_err().path(), "root/tenant");
    assert_eq!(taken(&log), [("at", 250), ("below", 250)]);
    drop(held);
}

#[test]
fn who_has_nothing_to_give_or_has_left_is_not_asked() {
    let _turn = my_turn();
    struct Empty(Log);
    impl Reclaimer for Empty {
        fn reclaim(&self, _: &ReclaimRequest<'_>) -> usize {
            self.0.lock().unwrap().push(("empty", 0));
            0
        }
        fn reclaimable(&self) -> usize {
            0
        }
    }
    let (log, root) = (
        Log::default(),
        Scope::root("root").limit(10).build().unwrap(),
    );
    let _held = root.try_reserve(10).unwrap();
    let _empty = root.on_reclaim(0, Empty(Arc::clone(&log)));
    drop(noting(&root, 0, "gone", &log));
    let refusal = root.try_reserve(1).unwrap_err();
    assert_eq!((taken(&log), refusal.reclaim().calls), (vec![], 0));
}

#[test]
fn what_is_freed_goes_to_who_asked_and_no_more_is_freed_than_needed() {
    let _turn = my_turn();
    let (log, root) = (
        Log::default(),
        Scope::root("root").limit(10_000).build().unwrap(),
    );
    let cache_scope = root.child("cache").build().unwrap();
    let cached = cache(&cache_scope, 100);
    let _cache = cache_scope.on_reclaim(0, shrinking(&cached));
    let _last = noting(&root, 1, "last resort", &log);
    let query = root.child("query").build().unwrap();
    let rows = query.try_reserve(1000).unwrap();
    // A quarter more than the 1000 that were missing.
    assert_eq!(cached.lock().unwrap().len(), 100 - 13);
    assert_eq!(taken(&log), [], "the first one gave enough");
    // What was freed beyond serves the next request.
    let more = query.try_reserve(300).unwrap();
    assert_eq!(cached.lock().unwrap().len(), 100 - 13);
    // All there is: in as many rounds as it takes.
    let rest = query.try_reserve(8700).unwrap();
    assert_eq!((cached.lock().unwrap().len(), root.used()), (0, 10_000));
    assert_eq!(
        root.snapshot(Bounds::new()).scopes()[0].reclaimed_bytes,
        10_000
    );
    drop((rows, more, rest));
}

#[test]
fn a_refusal_says_what_was_tried() {
    let _turn = my_turn();
    let root = Scope::root("root").limit(1000).build().unwrap();
    let cached = cache(&root, 3);
    let held = root.try_reserve(700).unwrap();
    let _cache = root.on_reclaim(0, shrinking(&cached));
    let _panicking = root.on_reclaim(1, |_: &ReclaimRequest<'_>| -> usize {
        std::panic::resume_unwind(Box::new("on purpose"))
    });
    let refusal = root.try_reserve(400).unwrap_err();
    let tried = refusal.reclaim();
    println!("{refusal}\n{tried:?}");
    assert_eq!(tried.bytes, 300, "what it had");
    assert!(tried.panics >= 1 && tried.calls > tried.panics && !tried.skipped);
    assert!(
        (4..=6).contains(&tried.calls),
        "the round that helped, and one more, at most three"
    );
    assert_eq!((refusal.used(), refusal.limit()), (700, Some(1000)));
    assert!(refusal.to_string().contains("reclaimers gave 300 bytes"));
    drop(held);
}

#[test]
fn after_the_deadline_nobody_further_is_asked() {
    let _turn = my_turn();
    let (log, root) = (
        Log::default(),
        Scope::root("root").limit(10).build().unwrap(),
    );
    let _held = root.try_reserve(10).unwrap();
    let pause = Arc::new(AtomicUsize::new(0));
    let until = Arc::new(Mutex::new(None));
    let (slow_log, slow_pause, slow_until) =
        (Arc::clone(&log), Arc::clone(&pause), Arc::clone(&until));
    let _slow = root.on_reclaim(0, move |request: &ReclaimRequest<'_>| {
        slow_log.lock().unwrap().push(("slow", request.bytes()));
        *slow_until.lock().unwrap() = Some((request.deadline(), Instant::now()));
        thread::sleep(Duration::from_millis(
            slow_pause.load(Ordering::Relaxed) as u64
        ));
        1
    });
    let _next = noting(&root, 1, "next", &log);
    // In time: both are asked, again and again while one says that it helped, for three rounds.
    assert_eq!(root.try_reserve(1).unwrap_err().reclaim().calls, 6);
    assert_eq!(taken(&log).len(), 6);

    pause.store(130, Ordering::Relaxed);
    let start = Instant::now();
    let refusal = root.try_reserve(1).unwrap_err();
    let (deadline, called) = until.lock().unwrap().unwrap();
    // Counted from the refusal, which was somewhere between these two.
    let given = Duration::from_millis(100);
    assert!(deadline >= start + given && deadline <= called + given);
    assert_eq!(
        (taken(&log), refusal.reclaim().calls),
        (vec![("slow", 1)], 1)
    );
    assert!(start.elapsed() < Duration::from_millis(1000));
}

#[test]
fn a_reclaimer_is_never_called_on_behalf_of_another() {
    let _turn = my_turn();
    let root = Scope::root("root").limit(1000).build().unwrap();
    let _held = root.try_reserve(990).unwrap();
    let (depth, deepest) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let registrations: Vec<_> = (0..2)
        .map(|priority| {
            let (scope, depth, deepest) = (root.clone(), Arc::clone(&depth), Arc::clone(&deepest));
            root.on_reclaim(priority, move |_: &ReclaimRequest<'_>| {
                let now = depth.fetch_add(1, Ordering::SeqCst) + 1;
                deepest.fetch_max(now, Ordering::SeqCst);
                // Refused at once, and told why.
                let refusal = scope.try_reserve(11).unwrap_err();
                assert!(refusal.reclaim().skipped && refusal.reclaim().calls == 0);
                // What there is room for is granted.
                drop(scope.try_reserve(10).expect("there is room"));
                depth.fetch_sub(1, Ordering::SeqCst);
                0
            })
        })
        .collect();
    let refusal = root.try_reserve(100).unwrap_err();
    let tried = refusal.reclaim();
    assert_eq!((tried.calls, tried.panics, tried.skipped), (2, 0, false));
    assert_eq!(deepest.load(Ordering::SeqCst), 1);
    drop(registrations);
}

#[test]
fn a_reclaimer_may_use_the_tree_and_so_may_all_others_meanwhile() {
    let _turn = my_turn();
    let root = Scope::root("root").limit(100_000).build().unwrap();
    let query = root.child("query").build().unwrap();
    let kept = Arc::new(Mutex::new(Some((
        root.child("to be dropped").min(500).build().unwrap(),
        root.child("holds")
            .build()
            .unwrap()
            .try_reserve(40_000)
            .unwrap(),
    ))));
    let _held = query.try_reserve(59_500).unwrap();
    let (ask, asked) = channel::<()>();
    let (answer, answered) = channel::<()>();
    let (ask, answered) = (Mutex::new(ask), Mutex::new(answered));
    let (tree, given_up) = (root.clone(), Arc::clone(&kept));
    let _reclaimer = root.on_reclaim(0, move |request: &ReclaimRequest<'_>| {
        // Reads.
        assert_eq!(tree.used(), 99_500);
        assert!(tree.headroom().is_some() && tree.usage().blocks == 2);
        assert!(tree.snapshot(Bounds::all()).scopes().len() >= 4);
        // Changes: scopes made and dropped, limits, guarantees, frees.
        let child = tree.child("made by a reclaimer").limit(1).build().unwrap();
        child.set_limit(Some(7));
        assert_eq!(child.try_reserve(8).unwrap_err().path(), child.path());
        drop(child.close());
        let Some((scope, mut reservation)) = given_up.lock().unwrap().take() else {
            return 0;
        };
        reservation.try_resize(30_000).unwrap();
        reservation.transfer_to(&tree).unwrap();
        scope.set_min(100).unwrap();
        drop((scope, reservation));
        // Others do all this at the same time: the call waits until one has.
        ask.lock().unwrap().send(()).unwrap();
        let other = answered
            .lock()
            .unwrap()
            .recv_timeout(Duration::from_secs(20));
        other.expect("another thread uses the tree while a reclaimer runs");
        request.bytes()
    });
    thread::scope(|threads| {
        let (root, query) = (&root, &query);
        threads.spawn(move || {
            asked.recv().unwrap();
            let block = query.try_reserve(1000).unwrap();
            assert_eq!(root.used(), 60_500);
            assert!(root.child("by another").min(10).build().is_ok());
            assert!(root.snapshot(Bounds::all()).scopes().len() >= 2);
            root.reset_peak();
            root.set_limit(Some(90_000));
            drop(block);
            answer.send(()).unwrap();
        });
        let granted = query
            .try_reserve(30_000)
            .expect("the reclaimer gave enough");
        assert_eq!(root.used(), 89_500);
        drop(granted);
    });
}

//! Waiting for room: in order, for no longer than asked, and without a lost wake-up; on threads and in two runtimes.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use unkai_allocator::{Bounds, OnExhausted, Refusal, Reservation, Reserve, Scope};

use crate::support::Random;
use crate::turn::{my_turn, seed, wait_until};

/// For what must not time out.
const LONG: OnExhausted = OnExhausted::Wait {
    timeout: Duration::from_secs(30),
};

fn waiting(scope: &Scope) -> usize {
    scope.snapshot(Bounds::new().depth(0)).scopes()[0].waiting
}

/// The ways to wait.
#[derive(Clone, Copy, Debug)]
enum Way {
    Blocking,
    FuturesLite,
    Tokio,
}

const WAYS: [Way; 3] = [Way::Blocking, Way::FuturesLite, Way::Tokio];

impl Way {
    fn wait(self, reserve: Reserve) -> Result<Reservation, Refusal> {
        match self {
            Self::Blocking => reserve.blocking(),
            Self::FuturesLite => futures_lite::future::block_on(reserve),
            Self::Tokio => {
                let runtime = tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(1)
                    .build()
                    .unwrap();
                // Spawned, so that a worker of the runtime polls it and not this thread.
                let task = runtime.spawn(reserve);
                runtime.block_on(task).unwrap()
            }
        }
    }
}

#[test]
fn who_waits_is_served_in_order_and_not_overtaken_by_a_smaller_request() {
    let _turn = my_turn();
    for way in WAYS {
        let root = Scope::root("root").limit(1000).build().unwrap();
        let scope = root.child("scope").build().unwrap();
        let mut held: Vec<_> = (0..4).map(|_| scope.try_reserve(250).unwrap()).collect();
        let (served, order) = channel();
        thread::scope(|threads| {
            // Each of the small requests behind would fit before the large one in front of it does.
            for (number, bytes) in [500, 10, 490].into_iter().enumerate() {
                let (scope, served) = (&scope, served.clone());
                threads.spawn(move || {
                    let reservation = way.wait(scope.reserve(bytes, LONG)).unwrap();
                    served.send((number, reservation)).unwrap();
                });
                wait_until("it waits", || waiting(&root) == number + 1);
            }
            drop(held.pop());
            let early = order.recv_timeout(Duration::from_millis(50));
            assert!(
                early.is_err(),
                "{way:?}: 250 bytes are too few for the first"
            );
            drop(held.pop());
            let (first, large) = order.recv().unwrap();
            assert_eq!((first, waiting(&root)), (0, 2));
            drop(held.pop());
            let (second, _small) = order.recv().unwrap();
            assert_eq!((second, waiting(&root)), (1, 1));
            drop(large);
            let (third, _) = order.recv().unwrap();
            assert_eq!((third, waiting(&root)), (2, 0));
        });
    }
}

#[test]
fn when_the_time_is_up_the_refusal_says_how_long_it_waited() {
    let _turn = my_turn();
    for way in WAYS {
        let root = Scope::root("root").limit(1000).build().unwrap();
        let scope = root.child("scope").build().unwrap();
        let held = scope.try_reserve(600).unwrap();
        let timeout = Duration::from_millis(60);
        let start = Instant::now();
        let refusal = way
            .wait(scope.reserve(500, OnExhausted::Wait { timeout }))
            .unwrap_err();
        let took = start.elapsed();
        let waited = refusal.waited().expect("it waited");
        println!("{way:?}: asked for {timeout:?}, waited {waited:?}, took {took:?}");
        assert!(waited >= timeout && waited <= took);
        assert!(took < timeout + Duration::from_secs(2));
        assert_eq!(
            (refusal.path(), refusal.used(), refusal.requested()),
            ("root", 600, 500)
        );
        assert_eq!((waiting(&root), root.used()), (0, 600));
        // Whoever does not wait is told at once, and that it did not.
        let refusal = way.wait(scope.reserve(500, OnExhausted::Fail)).unwrap_err();
        assert_eq!(refusal.waited(), None);
        drop(held);
        assert_eq!(way.wait(scope.reserve(1000, LONG)).unwrap().bytes(), 1000);
    }
}

#[test]
fn who_gives_up_lets_the_next_one_go() {
    let _turn = my_turn();
    for way in WAYS {
        let root = Scope::root("root").limit(1000).build().unwrap();
        let held = root.try_reserve(900).unwrap();
        thread::scope(|threads| {
            let mut impatient = Box::pin(root.reserve(500, LONG));
            let mut context = Context::from_waker(Waker::noop());
            assert!(impatient.as_mut().poll(&mut context).is_pending());
            let (root, (served, is_served)) = (&root, channel());
            threads.spawn(move || {
                let reservation = way.wait(root.reserve(100, LONG)).unwrap();
                served.send(reservation).unwrap();
            });
            wait_until("both wait", || waiting(root) == 2);
            // It would fit, but stands behind.
            let early = is_served.recv_timeout(Duration::from_millis(30));
            assert!(early.is_err());
            drop(impatient);
            let served = is_served.recv_timeout(Duration::from_secs(20)).unwrap();
            assert_eq!(served.bytes(), 100);
        });
        drop(held);
        assert_eq!((waiting(&root), root.used()), (0, 0));
    }
}

#[test]
fn a_raised_limit_or_a_returned_guarantee_wakes_who_waits() {
    let _turn = my_turn();
    for way in WAYS {
        let root = Scope::root("root").limit(1000).build().unwrap();
        let guaranteed = root.child("guaranteed").min(800).build().unwrap();
        let wait_for = |bytes: usize, until: &dyn Fn()| {
            thread::scope(|threads| {
                let waiter = threads.spawn(|| way.wait(root.reserve(bytes, LONG)).unwrap().bytes());
                wait_until("it waits", || waiting(&root) == 1);
                until();
                assert_eq!(waiter.join().unwrap(), bytes);
            });
        };
        wait_for(300, &|| {
            root.set_limit(Some(1100));
        });
        wait_for(400, &|| guaranteed.set_min(700).unwrap());
        wait_for(1100, &|| drop(guaranteed.clone().close()));
        assert_eq!(root.used(), 0);
    }
}

#[test]
fn who_finds_room_at_one_level_waits_on_at_the_next() {
    let _turn = my_turn();
    let root = Scope::root("root").limit(1000).build().unwrap();
    let scope = root.child("scope").limit(500).build().unwrap();
    let (in_scope, in_root) = (
        scope.try_reserve(400).unwrap(),
        root.try_reserve(550).unwrap(),
    );
    thread::scope(|threads| {
        let waiter = threads.spawn(|| scope.reserve(500, LONG).blocking().unwrap());
        wait_until("it waits below", || waiting(&scope) == 1);
        drop(in_scope);
        wait_until("it waits above", || waiting(&root) == 1);
        assert_eq!(waiting(&scope), 0);
        drop(in_root);
        assert_eq!(waiter.join().unwrap().bytes(), 500);
    });
    assert_eq!((waiting(&scope), waiting(&root), root.used()), (0, 0, 0));
}

#[test]
fn no_wake_up_is_lost_in_a_storm() {
    let _turn = my_turn();
    const THREADS: u64 = 8;
    const ROUNDS: usize = 1500;
    const LIMIT: usize = 64 << 10;
    let seed = seed(7);
    let root = Scope::root("root").limit(LIMIT).build().unwrap();
    let left = root.child("left").limit(LIMIT / 2).build().unwrap();
    let scopes = [&root, &left, &root.child("right").build().unwrap()];
    let (served, given_up) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let together = Barrier::new(THREADS as usize);
    let start = Instant::now();
    thread::scope(|threads| {
        for number in 0..THREADS {
            let (served, given_up, together) = (&served, &given_up, &together);
            threads.spawn(move || {
                // Longer than all of it takes on any machine: who sleeps until then was not woken.
                let timeout = Duration::from_secs(300);
                let wait = OnExhausted::Wait { timeout };
                let mut random = Random::new(seed * 1000 + number);
                together.wait();
                for _ in 0..ROUNDS {
                    let scope = scopes[random.below(scopes.len())];
                    let reserve = scope.reserve(1 + random.below(LIMIT / 2), wait);
                    if random.below(8) == 0 {
                        // Polled a few times, perhaps woken, and dropped: its turn must go to the next.
                        let mut reserve = pin!(reserve);
                        let mut context = Context::from_waker(Waker::noop());
                        for _ in 0..random.below(3) {
                            if let Poll::Ready(result) = reserve.as_mut().poll(&mut context) {
                                drop(result.expect("nobody sleeps until its time is up"));
                                break;
                            }
                            thread::yield_now();
                        }
                        given_up.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    let way = [Way::Blocking, Way::FuturesLite][random.below(2)];
                    let reservation = way
                        .wait(reserve)
                        .expect("nobody sleeps until its time is up");
                    served.fetch_add(1, Ordering::Relaxed);
                    // Who sleeps on what it holds makes others wait, however threads are scheduled.
                    if random.below(16) == 0 {
                        thread::sleep(Duration::from_micros(50));
                    }
                    drop(reservation);
                }
            });
        }
    });
    let line = root.snapshot(Bounds::new()).scopes()[0].clone();
    println!(
        "seed {seed}: {served:?} served, {given_up:?} given up, {} waited at the root for {:?} together; took {:?}",
        line.waits,
        line.waited,
        start.elapsed()
    );
    assert!(line.waits > 100, "otherwise nobody waited");
    assert_eq!((line.waiting, root.used(), root.usage().blocks), (0, 0, 0));
}

#[test]
fn tasks_of_a_runtime_wait_without_blocking_its_worker() {
    let _turn = my_turn();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let root = Scope::root("root").limit(1000).build().unwrap();
    let held = root.try_reserve(1000).unwrap();
    let peak = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..200)
        .map(|_| {
            let (root, peak) = (root.clone(), Arc::clone(&peak));
            runtime.spawn(async move {
                let reservation = root.reserve(100, LONG).await.unwrap();
                peak.fetch_max(root.used(), Ordering::Relaxed);
                tokio::task::yield_now().await;
                drop(reservation);
            })
        })
        .collect();
    wait_until("all wait, on a single worker", || waiting(&root) == 200);
    drop(held);
    runtime.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert!(peak.load(Ordering::Relaxed) <= 1000);
    assert_eq!((waiting(&root), root.used()), (0, 0));
}

//! Rules of every kind, in a process with a profiled heap.
#![cfg(target_os = "linux")]

#[path = "support/watched.rs"]
mod support;

use std::alloc::System;
use std::hint::black_box;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use support::{alone, eventually, rule, threads};
use unkai_core::{Config, Sampling, Scope, process};
use unkai_global::UnkaiGlobalAlloc;
use unkai_watch::{Condition, Event, Quantity, Rule, StartError, Trigger, Watcher, Watching};

#[global_allocator]
static HEAP: UnkaiGlobalAlloc<System> =
    UnkaiGlobalAlloc::with_config(System, Config::new().sampling_interval(64 << 10));

const MIB: u64 = 1 << 20;
const NEVER: Duration = Duration::from_secs(3600);
const SOON: Duration = Duration::from_millis(2);

/// A rule that tells its events.
fn told(name: &str, condition: Condition) -> (Rule, Receiver<Event>) {
    let (tell, told) = channel();
    let rule = Rule::new(name, condition).cool_down(Duration::ZERO);
    let tell = move |event: &Event| _ = tell.send(event.clone());
    (rule.call(tell), told)
}

fn next(events: &Receiver<Event>) -> Event {
    events
        .recv_timeout(Duration::from_secs(30))
        .expect("the rule fires within 30 s")
}

fn live() -> u64 {
    process::totals().live_bytes() as u64
}

fn megabytes(count: u64) -> Vec<u8> {
    black_box(vec![1; (count * MIB) as usize])
}

/// Has looked once at least since now.
fn looked(watching: &Watching) {
    let before = watching.status().ticks;
    watching.wake();
    eventually("a look", || watching.status().ticks > before);
}

#[test]
fn live_bytes_that_rise_are_told_between_two_ticks() {
    let _alone = alone();
    let threshold = live() + 50 * MIB;
    let (large, events) = told("large", Quantity::LiveBytes.rises_to(threshold));
    let watching = Watcher::new()
        .every(NEVER)
        .rule(large)
        .start()
        .expect("it starts");
    looked(&watching);
    let block = megabytes(60);
    let event = next(&events);
    assert_eq!((&*event.rule, event.firing), ("large", 1));
    assert_eq!(event.threshold, threshold as f64);
    assert_eq!(event.value, event.totals.live_bytes() as f64);
    assert!(event.value >= event.threshold);
    let text = event.to_string();
    assert!(
        text.starts_with("large: live bytes are ") && !text.contains('\n'),
        "{text}"
    );
    // It falls, and rises again.
    drop(block);
    looked(&watching);
    let block = megabytes(60);
    assert_eq!(next(&events).firing, 2);
    drop(block);
    println!("{}\n{text}", watching.status());
    watching.stop();
}

#[test]
fn live_bytes_that_fall_are_told() {
    let _alone = alone();
    let block = megabytes(60);
    let threshold = live() - 30 * MIB;
    let (small, events) = told("small", Quantity::LiveBytes.falls_to(threshold));
    let watching = Watcher::new()
        .every(SOON)
        .rule(small)
        .start()
        .expect("it starts");
    looked(&watching);
    assert_eq!(rule(&watching, "small").fired, 0);
    drop(block);
    assert!(next(&events).value <= threshold as f64);
    watching.stop();
}

#[test]
fn resident_bytes_are_told() {
    let _alone = alone();
    let (rule, events) = told("resident", Quantity::ResidentBytes.rises_to(400 * MIB));
    let watching = Watcher::new()
        .every(SOON)
        .rule(rule)
        .start()
        .expect("it starts");
    let block = megabytes(450);
    assert!(next(&events).value >= (400 * MIB) as f64);
    drop(block);
    watching.stop();
}

#[test]
fn an_alarm_for_nothing_does_not_keep_the_watcher_busy() {
    let _alone = alone();
    let (rule_, _events) = told("resident", Quantity::ResidentBytes.rises_to(1 << 30));
    let watching = Watcher::new()
        .every(NEVER)
        .rule(rule_)
        .start()
        .expect("it starts");
    eventually("the first look", || watching.status().ticks > 0);
    // 16 GiB in blocks of 1 MiB that nobody touches: live bytes grow, resident bytes hardly.
    let blocks: Vec<Vec<u8>> = (0..16 << 10)
        .map(|_| Vec::with_capacity(MIB as usize))
        .collect();
    looked(&watching);
    let status = watching.status();
    // Up to 64 MiB one for each MiB, then 64 each time that live bytes grow by the factor e; and the first, at 1 GiB.
    assert!((1..1000).contains(&status.alarms), "{status}");
    assert_eq!(rule(&watching, "resident").fired, 0, "{status}");
    println!("{status}");
    drop(black_box(blocks));
    watching.stop();
}

#[test]
fn growth_is_told_and_what_was_there_before_is_not() {
    let _alone = alone();
    let before = megabytes(100);
    let window = NEVER;
    let (rule_, events) = told("growth", Quantity::Growth { window }.rises_to(40 * MIB));
    let watching = Watcher::new()
        .every(NEVER)
        .rule(rule_)
        .start()
        .expect("it starts");
    looked(&watching);
    assert_eq!(rule(&watching, "growth").fired, 0);
    let block = megabytes(45);
    let event = next(&events);
    assert!(
        (40.0..60.0).contains(&(event.value / MIB as f64)),
        "{event}"
    );
    drop((before, block));
    watching.stop();
}

#[test]
fn the_largest_site_is_told() {
    let _alone = alone();
    let (rule, events) = told("site", Quantity::LargestSiteBytes.rises_to(30 * MIB));
    let watching = Watcher::new()
        .every(SOON)
        .rule(rule)
        .start()
        .expect("it starts");
    let blocks: Vec<_> = (0..40).map(|_| megabytes(1)).collect();
    assert!(next(&events).value >= (30 * MIB) as f64);
    drop(blocks);
    watching.stop();
}

#[test]
fn bytes_of_a_scope_are_told() {
    let _alone = alone();
    let scope = Scope::root("cache").build().expect("it has no limit");
    let condition = Quantity::ScopeBytes(scope.clone()).rises_to(MIB);
    let (rule_, events) = told("scope", condition);
    let watching = Watcher::new()
        .every(SOON)
        .rule(rule_)
        .start()
        .expect("it starts");
    let half = scope.try_reserve(512 << 10).expect("no limit");
    looked(&watching);
    assert_eq!(rule(&watching, "scope").fired, 0);
    let rest = scope.try_reserve(512 << 10).expect("no limit");
    assert_eq!(next(&events).value, MIB as f64);
    drop((half, rest));
    watching.stop();
}

#[test]
fn the_rate_of_allocation_is_told_after_the_first_window() {
    let _alone = alone();
    let window = Duration::from_millis(100);
    let condition = Quantity::AllocationRate { window }.rises_to(20 * MIB);
    let (rule_, events) = told("rate", condition);
    // Its first window is not over while this test lasts.
    let hour = Duration::from_secs(3600);
    let in_an_hour = Quantity::AllocationRate { window: hour }.rises_to(20 * MIB);
    let watching = Watcher::new()
        .every(SOON)
        .rule(rule_)
        .rule(told("rate-of-an-hour", in_an_hour).0)
        .start()
        .expect("it starts");
    looked(&watching);
    let unread = rule(&watching, "rate-of-an-hour")
        .unread
        .expect("the window is not over");
    assert!(unread.contains("window"), "{unread}");
    let event = loop {
        drop(megabytes(1));
        if let Ok(event) = events.try_recv() {
            break event;
        }
    };
    assert!(event.value >= (20 * MIB) as f64);
    assert!(
        event.to_string().contains("MiB/s") || event.to_string().contains("GiB/s"),
        "{event}"
    );
    watching.stop();
}

#[test]
fn the_share_of_a_limit_of_this_machine_is_read() {
    let _alone = alone();
    let (rule_, events) = told("share", Quantity::ShareOfLimit.rises_to(1e-9));
    let watching = Watcher::new()
        .every(NEVER)
        .rule(rule_)
        .start()
        .expect("it starts");
    let event = next(&events);
    let limit = event.limit.expect("it says which");
    assert_eq!(event.value, limit.share());
    assert_eq!(watching.status().limit, Some(limit));
    println!("{event}\n{}", watching.status());
    watching.stop();
}

#[test]
fn the_share_of_the_process_limit_is_told_and_reclaimers_are_asked() {
    let _alone = alone();
    let (tell, asked) = channel();
    let (eighty, events) = told("eighty", Quantity::ShareOfProcessLimit.rises_to(0.8));
    let watching = Watcher::new()
        .every(NEVER)
        .rule(eighty)
        .reclaimer(|_| panic!("no memory here"))
        .reclaimer(move |wanted| {
            tell.send(wanted).expect("somebody listens");
            10
        })
        .start()
        .expect("it starts");
    looked(&watching);
    assert!(
        rule(&watching, "eighty")
            .unread
            .expect("no limit")
            .contains("Config::limit")
    );
    let limit = live() + 100 * MIB;
    process::set_limit(Some(limit));
    looked(&watching);
    let block = megabytes(90);
    assert!((0.8..1.0).contains(&next(&events).value));
    assert!(asked.try_recv().is_err(), "below the limit");
    let more = megabytes(30);
    let wanted = asked.recv_timeout(Duration::from_secs(30)).expect("asked");
    assert!(wanted >= limit / 8, "{wanted}");
    eventually("the outcome", || {
        let reclaim = watching.status().reclaim.expect("there are reclaimers");
        (reclaim.asked, reclaim.freed_bytes, reclaim.panics) == (1, 10, 1)
    });
    process::set_limit(None);
    drop((block, more));
    watching.stop();
}

#[test]
fn a_trigger_fires_its_rule_and_nothing_else_wakes_the_watcher() {
    let _alone = alone();
    let trigger = Trigger::new();
    let (rule, events) = told("asked", trigger.pulled());
    let watching = Watcher::new()
        .every(SOON)
        .rule(rule)
        .start()
        .expect("it starts");
    eventually("the first look", || watching.status().ticks == 1);
    for times in 1..=3 {
        drop(megabytes(64));
        trigger.pull();
        assert_eq!(next(&events).firing, times);
        eventually("a look", || watching.status().ticks > times);
        assert_eq!(watching.status().ticks, times + 1);
    }
    watching.stop();
}

#[test]
fn without_rules_the_watcher_sleeps() {
    let _alone = alone();
    let watching = Watcher::new().every(SOON).start().expect("it starts");
    eventually("the first look", || watching.status().ticks == 1);
    // Time passes, and memory comes and goes.
    for _ in 0..50 {
        drop(megabytes(4));
    }
    watching.wake();
    eventually("a look", || watching.status().ticks > 1);
    assert_eq!((watching.status().ticks, watching.status().alarms), (2, 0));
    watching.stop();
}

#[test]
fn looking_closer_ends_by_itself_and_at_the_stop() {
    let _alone = alone();
    let before = process::sampling();
    let closer = Sampling::Bytes { interval: 4096 };
    for lasts in [Duration::from_millis(30), NEVER] {
        let trigger = Trigger::new();
        let rule = Rule::new("look", trigger.pulled()).look_closer(4096, lasts);
        let watching = Watcher::new()
            .every(NEVER)
            .rule(rule)
            .start()
            .expect("it starts");
        trigger.pull();
        if lasts == NEVER {
            eventually("a closer look", || process::sampling() == closer);
            eventually("the status", || {
                watching.status().looking_closer == Some(4096)
            });
        } else {
            eventually("the look", || support::rule(&watching, "look").fired == 1);
            eventually("the end of it", || process::sampling() == before);
        }
        watching.stop();
        assert_eq!(process::sampling(), before);
    }
}

#[test]
fn a_process_has_one_watcher_and_stop_ends_its_threads() {
    let _alone = alone();
    let (rule_, _events) = told("idle", Quantity::LiveBytes.rises_to(1 << 50));
    let watching = Watcher::new()
        .rule(rule_)
        .reclaimer(|_| 0)
        .start()
        .expect("it starts");
    let names = ["unkai-watch", "unkai-idle", "unkai-reclaim"];
    let running = || {
        threads()
            .iter()
            .filter(|name| names.contains(&name.as_str()))
            .count()
    };
    eventually("three threads", || running() == 3);
    let second = Watcher::new().start().expect_err("one runs");
    assert!(matches!(second, StartError::Running), "{second}");
    let again = Watcher::new().start().expect_err("it still runs");
    assert!(matches!(again, StartError::Running), "{again}");
    watching.stop();
    // The system's list of threads may lag behind their end.
    eventually("no thread", || running() == 0);
    let third = Watcher::new().start().expect("none runs");
    third.stop();
}

#[test]
fn rules_that_make_no_sense_stop_nothing_else() {
    let _alone = alone();
    let wrong = Rule::new("wrong", Quantity::LiveBytes.rises_to(f64::NAN));
    let refused = Watcher::new()
        .rule(wrong)
        .start()
        .expect_err("it makes no sense");
    assert!(refused.to_string().contains("\"wrong\""), "{refused}");
    Watcher::new()
        .start()
        .expect("nothing was left behind")
        .stop();
}

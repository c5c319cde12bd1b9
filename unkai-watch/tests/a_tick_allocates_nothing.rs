//! While nothing fires, the watcher's thread allocates nothing; and what a tick costs.
#![cfg(target_os = "linux")]

#[path = "support/watched.rs"]
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use support::eventually;
use unkai_core::{Config, Scope};
use unkai_global::UnkaiGlobalAlloc;
use unkai_watch::{Quantity, Rule, Watcher};

/// Counts the calls of all threads but the test's own.
struct Counting(UnkaiGlobalAlloc<System>);

static CALLS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static OWN: Cell<bool> = const { Cell::new(false) };
}

#[global_allocator]
static HEAP: Counting = Counting(UnkaiGlobalAlloc::with_config(System, Config::new()));

fn count() {
    if !OWN.try_with(Cell::get).unwrap_or(true) {
        CALLS.fetch_add(1, SeqCst);
    }
}

// SAFETY: forwards to an allocator that keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { self.0.alloc(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count();
        // SAFETY: the caller's promise.
        unsafe { self.0.dealloc(block, layout) }
    }
}

/// Nanoseconds that the watcher's thread has run.
fn ran() -> u64 {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux says");
    tasks
        .filter_map(|task| {
            let task = task.ok()?.path();
            let name = fs::read_to_string(task.join("comm")).ok()?;
            let times = fs::read_to_string(task.join("schedstat")).ok()?;
            (name.trim_end() == "unkai-watch").then(|| times.split(' ').next()?.parse().ok())?
        })
        .next()
        .expect("the thread runs")
}

#[test]
fn a_thousand_ticks_allocate_nothing() {
    OWN.set(true);
    let scope = Scope::root("cache")
        .limit(1 << 20)
        .build()
        .expect("a scope");
    let window = Duration::from_millis(50);
    let all = [
        Quantity::LiveBytes,
        Quantity::ResidentBytes,
        Quantity::ShareOfLimit,
        Quantity::Growth { window },
        Quantity::LargestSiteBytes,
        Quantity::ScopeBytes(scope),
        Quantity::AllocationRate { window },
        Quantity::ShareOfProcessLimit,
    ];
    let few = [Quantity::LiveBytes];
    for (name, quantities) in [("live bytes only", &few[..]), ("all quantities", &all[..])] {
        let mut watcher = Watcher::new()
            .every(Duration::from_millis(1))
            .reclaimer(|_| 0);
        for (index, quantity) in quantities.iter().enumerate() {
            let is_share = quantity.unit() == unkai_watch::Unit::Share;
            let threshold = if is_share { 1.0 } else { 1e15 };
            let rule = Rule::new(
                format!("rule-{index}"),
                quantity.clone().rises_to(threshold),
            );
            watcher = watcher.rule(rule.call(|event| panic!("{event}")));
        }
        let watching = watcher.start().expect("it starts");
        // The threads of the rules begin, which takes some blocks, and the first window fills.
        let mut before = 0;
        eventually("a hundred ticks without a new thread", || {
            let first = watching.status().ticks;
            eventually("a hundred ticks", || watching.status().ticks >= first + 100);
            before == CALLS.load(SeqCst) || {
                before = CALLS.load(SeqCst);
                false
            }
        });
        let (calls, ticks, time) = (CALLS.load(SeqCst), watching.status().ticks, ran());
        eventually("a thousand ticks", || {
            std::thread::park_timeout(Duration::from_millis(50));
            watching.status().ticks >= ticks + 1000
        });
        let (after, time) = (CALLS.load(SeqCst), ran() - time);
        let ticks = watching.status().ticks - ticks;
        let each = Duration::from_nanos(time / ticks);
        println!("{name}: {ticks} ticks, {each:?} each");
        assert_eq!(after - calls, 0, "{name}: allocations in {ticks} ticks");
        assert!(
            each < Duration::from_millis(2),
            "{name}: {each:?} for a tick"
        );
        let status = watching.status();
        assert!(status.rules.iter().all(|rule| rule.fired == 0), "{status}");
        watching.stop();
    }
}

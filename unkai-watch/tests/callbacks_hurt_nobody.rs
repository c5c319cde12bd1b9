//! A callback that panics, blocks for ever or allocates a lot hurts no other rule, and no number of the program.
#![cfg(target_os = "linux")]

#[path = "support/watched.rs"]
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use support::{eventually, rule};
use unkai_core::{Config, process};
use unkai_global::UnkaiGlobalAlloc;
use unkai_watch::{Reports, Rule, Trigger, Watcher};

/// Counts live bytes, and knows nothing of the profiler that it hands over to.
struct Counting(UnkaiGlobalAlloc<System>);

static LIVE: AtomicI64 = AtomicI64::new(0);

#[global_allocator]
static HEAP: Counting = Counting(UnkaiGlobalAlloc::with_config(System, Config::new()));

// SAFETY: forwards to an allocator that keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as i64, SeqCst);
        // SAFETY: the caller's promise.
        unsafe { self.0.alloc(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as i64, SeqCst);
        // SAFETY: the caller's promise.
        unsafe { self.0.dealloc(block, layout) }
    }
}

#[test]
fn a_callback_that_panics_blocks_or_allocates_hurts_nobody() {
    let triggers: [Trigger; 4] = Default::default();
    let [good, panics, blocks, greedy] = &triggers;
    let (told, good_events) = channel();
    let (_keep, never) = channel::<()>();
    let directory = tempfile::tempdir().expect("a directory");
    let watching = Watcher::new()
        .rule(Rule::new("panics", panics.pulled()).call(|event| panic!("number {}", event.firing)))
        .rule(Rule::new("blocks", blocks.pulled()).call(move |_| _ = never.recv()))
        .rule(Rule::new("greedy", greedy.pulled()).call(|_| {
            let blocks: Vec<_> = (0..64).map(|_| vec![1_u8; 1 << 20]).collect();
            drop(black_box(blocks));
        }))
        .rule(
            Rule::new("nowhere", panics.pulled()).report(Reports::in_dir(
                directory.path().join("missing").join("missing"),
            )),
        )
        .rule(Rule::new("good", good.pulled()).call(move |event| _ = told.send(event.firing)))
        .start()
        .expect("it starts");
    for round in 1..=20 {
        triggers.iter().for_each(Trigger::pull);
        let firing = good_events.recv_timeout(Duration::from_secs(30));
        assert_eq!(firing, Ok(round), "the others hold up the good one");
        eventually("all have fired", || {
            ["panics", "blocks", "greedy"]
                .iter()
                .all(|name| rule(&watching, name).fired >= round)
        });
        // A callback that panics is done with its event before the next.
        eventually("the panic", || {
            rule(&watching, "panics")
                .actions
                .first()
                .is_some_and(|callback| callback.failed >= round)
        });
    }
    let action = |name: &str| rule(&watching, name).actions.first().cloned();
    let panicked = action("panics").expect("it has failed");
    assert_eq!((panicked.done, panicked.failed), (0, 20));
    assert_eq!(panicked.last_error.as_deref(), Some("number 20"));
    // One is being worked on, one waits.
    assert_eq!(rule(&watching, "blocks").skipped, 18);
    assert_eq!(action("blocks"), None);
    let greedy = || {
        (
            rule(&watching, "greedy").skipped,
            action("greedy").map_or(0, |done| done.done),
        )
    };
    eventually("the greedy one is done", || {
        let (skipped, done) = greedy();
        skipped + done == 20
    });
    println!("{}", watching.status());
    // All that is live is counted, to the byte, once everybody stands still.
    eventually("the same live bytes", || {
        thread::yield_now();
        LIVE.load(SeqCst) == process::totals().live_bytes()
    });
    watching.stop();
}

//! Reclaimers make room where requests are refused at the process's limit.
#![cfg(target_os = "linux")]

#[path = "support/watched.rs"]
mod support;

use std::alloc::System;
use std::sync::Mutex;
use std::time::Duration;

use support::eventually;
use unkai_core::Config;
use unkai_global::UnkaiGlobalAlloc;
use unkai_watch::Watcher;

const MIB: usize = 1 << 20;

#[global_allocator]
static HEAP: UnkaiGlobalAlloc<System> =
    UnkaiGlobalAlloc::with_config(System, Config::new().limit(128 << 20).refuse_at_limit(true));

static CACHE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Asks for a block as code does that can live without.
fn try_block(bytes: usize) -> Option<Vec<u8>> {
    let mut block = Vec::new();
    block.try_reserve_exact(bytes).ok()?;
    Some(block)
}

#[test]
fn what_was_refused_is_granted_after_reclaimers_have_run() {
    let watching = Watcher::new()
        .every(Duration::from_secs(3600))
        .reclaimer(|wanted| {
            let mut cache = CACHE.lock().expect("nobody panics");
            let mut freed = 0;
            while freed < wanted
                && let Some(block) = cache.pop()
            {
                freed += block.capacity() as u64;
            }
            freed
        })
        .start()
        .expect("it starts");
    // Blocks so large leave some MiB below the limit: for code that cannot live without.
    loop {
        let block = try_block(8 * MIB);
        match block {
            Some(block) => CACHE.lock().expect("nobody panics").push(block),
            None => break,
        }
    }
    let mut block = None;
    eventually("room", || {
        block = try_block(16 * MIB);
        block.is_some()
    });
    let reclaim = watching.status().reclaim.expect("there is one");
    // An eighth of the limit each time, and not for each refusal.
    assert!((1..=3).contains(&reclaim.asked), "{reclaim:?}");
    assert!(reclaim.freed_bytes >= (16 * MIB) as u64, "{reclaim:?}");
    watching.stop();
}

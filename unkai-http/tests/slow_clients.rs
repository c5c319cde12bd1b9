//! A thousand clients that send one byte and wait. In a process of its own, because it looks at all threads and memory.

#![cfg(target_os = "linux")]

#[path = "support/client.rs"]
mod client;
#[path = "support/process.rs"]
mod process;

use std::alloc::System;
use std::io::Write;
use std::time::{Duration, Instant};

use client::{connect, get};
use process::{open_files, resident_bytes, threads, threads_called, wait_until};
use unkai_global::{Config, UnkaiGlobalAlloc};
use unkai_http::{Endpoint, Server};

#[global_allocator]
static HEAP: UnkaiGlobalAlloc<System> = UnkaiGlobalAlloc::with_config(System, Config::new());

const PATHS: [&str; 4] = [
    "/metrics",
    "/debug/pprof/heap",
    "/debug/pprof/",
    "/debug/unkai/",
];

#[test]
fn a_thousand_slow_clients_keep_nobody_out_and_leave_nothing_behind() {
    allow_files(4096);
    // Without names: what looking them up leaves with the system's allocator is not the connections'.
    let endpoint = Endpoint::new().names(false);
    let server = Server::new()
        .address(([127, 0, 0, 1], 0))
        .endpoint(endpoint);
    let serving = server.start().expect("it starts");
    let server = serving.local_addr();
    // What the process keeps for good.
    for path in PATHS {
        assert_eq!(get(server, path).status, 200);
    }
    wait_until("these clients have gone", || serving.counts().open == 0);
    wait_until("their work has ended", || {
        threads_called("unkai-http-work") == 0
    });
    let before = (
        threads().len(),
        open_files(),
        HEAP.usage().live_bytes(),
        resident_bytes(),
    );

    let mut slow = Vec::new();
    for _ in 0..1000 {
        let mut client = connect(server).expect("it accepts");
        // One that was closed for room meanwhile does not take it.
        let _sent = client.write_all(b"G");
        slow.push(client);
    }
    let mut longest = Duration::ZERO;
    for path in PATHS {
        for _ in 0..5 {
            let start = Instant::now();
            assert_eq!(get(server, path).status, 200);
            longest = longest.max(start.elapsed());
        }
    }
    println!("while 1,000 clients were slow, the slowest of 20 answers took {longest:?}");
    assert!(longest < Duration::from_secs(2), "{longest:?}");
    let counts = serving.counts();
    assert!(counts.open <= 64, "{counts:?}");
    assert!(counts.closed_for_room >= 1000 - 64, "{counts:?}");
    assert_eq!(counts.not_accepted, 0);
    let (_, _, live, resident) = before;
    let (live, resident) = (
        HEAP.usage().live_bytes() - live,
        resident_bytes().saturating_sub(resident),
    );
    println!(
        "the connections that are open take {live} bytes of heap; the process grew by {resident} bytes"
    );
    assert!(live < 4 << 20, "{live}");

    drop(slow);
    wait_until("all connections are closed", || serving.counts().open == 0);
    wait_until("all work has ended", || threads().len() == before.0);
    assert_eq!(open_files(), before.1);
    let kept = HEAP.usage().live_bytes() - before.2;
    assert!(kept.abs() < 256 << 10, "{kept} bytes");
    let grown = resident_bytes().saturating_sub(before.3);
    assert!(grown < 32 << 20, "{grown} bytes");
    serving.stop();
}

/// Both ends of each connection are files of this process, which may have 1024 on many machines.
fn allow_files(files: u64) {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the limit outlives the call.
    let read = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    assert_eq!(read, 0);
    limit.rlim_cur = limit.rlim_cur.max(files);
    limit.rlim_max = limit.rlim_max.max(files);
    // SAFETY: as above.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    assert_eq!(
        set, 0,
        "this needs {files} files: raise the limit, ulimit -Hn {files}"
    );
}

//! `seconds=`: a bounded number at once, and none that outlives its client. In a process of its own, because it looks at
//! all threads.

#![cfg(target_os = "linux")]

#[path = "support/client.rs"]
mod client;
#[path = "support/process.rs"]
mod process;

use std::alloc::System;
use std::io::Write;
use std::time::{Duration, Instant};

use client::{connect, get};
use process::{threads_called, wait_until};
use unkai_global::{Config, UnkaiGlobalAlloc};
use unkai_http::{Endpoint, Server};

#[global_allocator]
static HEAP: UnkaiGlobalAlloc<System> = UnkaiGlobalAlloc::with_config(System, Config::new());

/// The thread of a document that is being made.
const WORK: &str = "unkai-http-work";

#[test]
fn too_many_are_told_to_come_back_and_those_that_give_up_leave_at_once() {
    let server = Server::new().address(([127, 0, 0, 1], 0));
    let serving = server
        .endpoint(Endpoint::new().max_at_once(2))
        .start()
        .expect("it starts");
    let server = serving.local_addr();
    let long = "/debug/pprof/heap?seconds=300";
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let mut client = connect(server).expect("it accepts");
        write!(client, "GET {long} HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it reads");
        waiting.push(client);
    }
    wait_until("two wait", || threads_called(WORK) == 2);

    // A third is refused; what takes no time is not.
    let refused = get(server, "/debug/pprof/allocs?seconds=7");
    assert_eq!(refused.status, 503);
    assert_eq!(refused.header("retry-after"), Some("7"));
    assert_eq!(
        refused.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(refused.header("x-content-type-options"), Some("nosniff"));
    assert!(
        refused.text().contains("2 requests of this kind"),
        "{}",
        refused.text()
    );
    assert_eq!(get(server, "/metrics").status, 200);
    assert_eq!(get(server, "/debug/pprof/heap").status, 200);

    // One client gives up. Its thread does not sleep on, and its place is free.
    let given_up = Instant::now();
    drop(waiting.pop());
    wait_until("one waits", || threads_called(WORK) == 1);
    assert!(given_up.elapsed() < Duration::from_secs(5));
    assert_eq!(get(server, "/debug/pprof/heap?seconds=1").status, 200);

    // The server stops while the other waits: that ends too.
    serving.stop();
    wait_until("none waits", || threads_called(WORK) == 0);
}

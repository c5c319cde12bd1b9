//! A process that has no file left. In a process of its own, whose limit it lowers.

#![cfg(target_os = "linux")]

#[path = "support/client.rs"]
mod client;
#[path = "support/process.rs"]
mod process;

use std::alloc::System;
use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use client::{connect, get};
use process::wait_until;
use unkai_global::{Config, UnkaiGlobalAlloc};
use unkai_http::Server;

#[global_allocator]
static HEAP: UnkaiGlobalAlloc<System> = UnkaiGlobalAlloc::with_config(System, Config::new());

#[test]
fn without_files_it_counts_and_rests_and_goes_on_when_there_are_some() {
    let serving = Server::new()
        .address(([127, 0, 0, 1], 0))
        .start()
        .expect("it starts");
    let server = serving.local_addr();
    assert_eq!(get(server, "/debug/pprof/").status, 200);
    wait_until("the client has gone", || serving.counts().open == 0);

    // The client's own file first; then all that are left; then it connects, which takes no other file.
    set_limit(256);
    let socket = TcpStream::connect(server).expect("there are files yet");
    wait_until("it is accepted", || serving.counts().accepted == 2);
    let mut files = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    drop(files.pop());
    let mut other = connect(server).expect("one file was left for it");
    let before = cpu_time();
    // The client that sends nothing is closed, and its file is the next one's.
    wait_until("it counts", || serving.counts().not_accepted >= 1);
    wait_until("it goes on", || serving.counts().accepted == 3);
    write!(
        other,
        "GET /debug/pprof/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
    )
    .expect("it reads");
    let mut answer = String::new();
    other.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    drop(socket);

    // Nobody is there to make room: it rests between its attempts.
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    drop(other);
    let last = connect(server).expect("the one before has gone");
    let counted = serving.counts().not_accepted;
    wait_until("it has tried five times", || {
        serving.counts().not_accepted >= counted + 5
    });
    let spent = cpu_time() - before;
    assert!(spent < Duration::from_millis(500), "{spent:?}");
    drop(files);
    wait_until("it goes on", || serving.counts().accepted >= 4);
    drop(last);
    assert_eq!(get(server, "/metrics").status, 200);
    serving.stop();
}

fn set_limit(files: u64) {
    let limit = libc::rlimit {
        rlim_cur: files,
        rlim_max: files,
    };
    // SAFETY: the limit outlives the call.
    let done = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    assert_eq!(done, 0);
}

/// What all threads of this process have used.
fn cpu_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the time outlives the call.
    let done = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    assert_eq!(done, 0);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

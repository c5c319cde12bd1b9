//! The server's own thread and port, and what clients send that is no good request.

#![cfg(target_os = "linux")]

#[path = "support/client.rs"]
mod client;
#[path = "support/process.rs"]
mod process;

use std::alloc::System;
use std::error::Error;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use client::{connect, get, send};
use process::{open_files, resident_bytes, threads_called, wait_until};
use unkai_global::{Config, UnkaiGlobalAlloc};
use unkai_http::{Endpoint, ServeError, Server, Serving};

#[global_allocator]
static HEAP: UnkaiGlobalAlloc<System> = UnkaiGlobalAlloc::with_config(System, Config::new());

/// One test, because each part looks at the threads, files and memory of the whole process.
#[test]
fn the_server_and_its_bounds() {
    an_address_that_others_reach_is_refused();
    a_port_that_is_taken_is_an_error_with_its_source();
    stopping_ends_the_thread_and_frees_the_port();
    dropping_the_handle_does_not_stop_it();
    only_names_of_this_machine_are_answered();
    the_other_loopback_is_as_local();
    a_web_page_of_another_origin_gets_nothing_and_makes_nothing_work();
    one_connection_has_one_answer_however_its_request_is_framed();
    nothing_that_is_asked_comes_back_as_it_was();
    what_is_no_request_does_no_harm();
    a_head_that_does_not_come_in_time_is_not_waited_for();
    a_client_that_takes_no_answer_makes_room_for_another();
}

fn local() -> Server {
    Server::new().address(([127, 0, 0, 1], 0))
}

fn started(server: Server) -> Serving {
    server.start().expect("it starts")
}

fn an_address_that_others_reach_is_refused() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[::ffff:192.0.2.1]:0"] {
        let address: SocketAddr = address.parse().expect("an address");
        let error = unkai_http::serve(address).expect_err("others may reach it");
        assert!(matches!(error, ServeError::Remote { .. }), "{error:?}");
        let says = error.to_string();
        assert!(
            says.contains("allow_remote(true)") && says.contains(&address.to_string()),
            "{says}"
        );
        assert!(error.source().is_none());
    }
    let everywhere = Server::new()
        .address((Ipv4Addr::UNSPECIFIED, 0))
        .allow_remote(true);
    let serving = started(everywhere);
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, serving.local_addr().port()));
    assert_eq!(get(here, "/metrics").status, 200);
    let by_any_name = send(
        here,
        b"GET /metrics HTTP/1.1\r\nHost: service.example\r\n\r\n",
    );
    assert_eq!(by_any_name.expect("it answers").status, 200);
    serving.stop();
}

fn a_port_that_is_taken_is_an_error_with_its_source() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = taken.local_addr().expect("it has one");
    let error = unkai_http::serve(address).expect_err("it is taken");
    assert!(matches!(error, ServeError::Listen { .. }), "{error:?}");
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    assert!(error.source().is_some());
    assert_eq!(threads_called("unkai-http"), 0);
}

fn stopping_ends_the_thread_and_frees_the_port() {
    // A thread that has just answered still knows the executor that it answered, and with it two files.
    wait_until("all work has ended", || {
        threads_called("unkai-http-work") == 0
    });
    let before = open_files();
    let serving = started(local());
    let address = serving.local_addr();
    assert!(address.ip().is_loopback());
    wait_until("its thread has its name", || {
        threads_called("unkai-http") == 1
    });
    assert_eq!(get(address, "/debug/pprof/").status, 200);
    let idle = connect(address).expect("it accepts");
    serving.stop();
    assert_eq!(threads_called("unkai-http"), 0);
    drop(idle);
    wait_until("all its files are closed", || open_files() == before);
    assert!(TcpStream::connect(address).is_err(), "nobody listens");
    let again = started(Server::new().address(address));
    assert_eq!(again.local_addr(), address);
    assert_eq!(get(address, "/debug/pprof/").status, 200);
    again.stop();
}

fn dropping_the_handle_does_not_stop_it() {
    let address = started(local()).local_addr();
    assert_eq!(get(address, "/debug/pprof/").status, 200);
    wait_until("its thread has its name", || {
        threads_called("unkai-http") == 1
    });
}

fn only_names_of_this_machine_are_answered() {
    let serving = started(local());
    let ask = |serving: &Serving, host: &str| {
        let head = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n");
        send(serving.local_addr(), head.as_bytes()).expect("it answers")
    };
    assert_eq!(ask(&serving, "localhost:6060").status, 200);
    let refused = ask(&serving, "rebound.example:6060");
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("allow_host"), "{}", refused.text());
    assert!(!refused.text().contains("rebound.example"));
    serving.stop();
    let serving = started(local().allow_host("profiles.example"));
    assert_eq!(ask(&serving, "profiles.example").status, 200);
    assert_eq!(ask(&serving, "rebound.example").status, 403);
    serving.stop();
}

fn the_other_loopback_is_as_local() {
    let Ok(serving) = unkai_http::serve(([0, 0, 0, 0, 0, 0, 0, 1], 0)) else {
        return println!("skipped: this machine has no IPv6");
    };
    let server = serving.local_addr();
    for (host, status) in [
        ("[::1]:6060", 200),
        ("[0:0::1]", 200),
        ("[::FFFF:127.0.0.1]", 200),
        ("localhost.:6060", 200),
        ("LOCALHOST", 200),
        ("[::1].evil.example", 403),
        ("[::1%25lo]", 403),
        ("[::2]", 403),
        ("::1", 403),
        ("0.0.0.0", 403),
        ("2130706433", 403),
        ("127.1", 403),
        ("evil.example.", 403),
        ("localhost@evil.example", 403),
        ("evil.example#localhost", 403),
        ("", 403),
    ] {
        let head = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let answer = send(server, head.as_bytes()).expect("it answers");
        assert_eq!(answer.status, status, "{host}");
        assert_eq!(answer.body.len() < 1000, status != 200, "{host}");
    }
    for (target, status) in [
        (format!("http://[::1]:{}/metrics", server.port()), 200),
        ("http://localhost/metrics".to_owned(), 200),
        ("http://evil.example/metrics".to_owned(), 403),
        ("http://evil.example@localhost/metrics".to_owned(), 200),
        ("http://localhost@evil.example/metrics".to_owned(), 403),
    ] {
        let head = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let answer = send(server, head.as_bytes()).expect("it answers");
        assert_eq!(answer.status, status, "{target}");
    }
    serving.stop();
}

fn a_web_page_of_another_origin_gets_nothing_and_makes_nothing_work() {
    let serving = started(local());
    let ask = |head: &str| {
        let head = format!("{head}\r\nHost: localhost\r\n\r\n");
        send(serving.local_addr(), head.as_bytes()).expect("it answers")
    };
    // An image in a page: five minutes of one of four rooms, if it were answered.
    let embedded = ask(
        "GET /debug/pprof/heap?seconds=300 HTTP/1.1\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Dest: image",
    );
    assert_eq!(embedded.status, 403);
    wait_until("nobody works on it", || {
        threads_called("unkai-http-work") == 0
    });
    let followed =
        "GET /debug/pprof/ HTTP/1.1\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Dest: document";
    assert_eq!(ask(followed).status, 200);
    // No answer says that another origin may read it, whoever asks in whatever way.
    for method in [
        "GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "TRACE", "PATCH", "BREW",
    ] {
        let answer = ask(&format!(
            "{method} /metrics HTTP/1.1\r\nOrigin: http://evil.example\r\nAccess-Control-Request-Method: GET"
        ));
        let is_read = ["GET", "HEAD"].contains(&method);
        assert_eq!(answer.status, if is_read { 200 } else { 405 }, "{method}");
        assert_eq!(
            answer.header("access-control-allow-origin"),
            None,
            "{method}"
        );
        let policy = answer.header("cross-origin-resource-policy");
        assert_eq!(policy, Some("same-origin"), "{method}");
        assert!(!answer.text().contains("evil.example"), "{method}");
    }
    let tunnel = send(
        serving.local_addr(),
        b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    );
    let status = tunnel.expect("it answers").status;
    assert!(!(200..300).contains(&status), "{status}");
    serving.stop();
}

/// What a proxy in front might take for two requests, or one for another.
fn one_connection_has_one_answer_however_its_request_is_framed() {
    let serving = started(local());
    let second = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for first in [
        "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n".to_owned(),
        "POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n".to_owned(),
        "POST /nothing HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: x, chunked, x\r\n\r\n".to_owned(),
        "GET /nothing HTTP/1.1\r\nHost : localhost\r\n\r\n".to_owned(),
        "GET /nothing HTTP/1.1\r\nHost: localhost\r\n Folded: x\r\n\r\n".to_owned(),
        "GET /nothing HTTP/1.1\nHost: localhost\n\n".to_owned(),
        "GET /nothing HTTP/1.1\r\nHost: localhost\r\nX: a\rb\r\n\r\n".to_owned(),
        "GET /nothing\u{0} HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "GET /nothing HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n".to_owned(),
    ] {
        let mut client = connect(serving.local_addr()).expect("it accepts");
        let _sent = client.write_all(format!("{first}{second}{second}").as_bytes());
        let mut all = Vec::new();
        let _end = client.read_to_end(&mut all);
        let all = String::from_utf8_lossy(&all);
        assert!(all.matches("HTTP/1.1 ").count() <= 1, "{first:?}: {all}");
        assert!(!all.contains("unkai_live_bytes"), "{first:?}: {all}");
        assert!(!all.contains("HTTP/1.1 101"), "{first:?}: {all}");
    }
    serving.stop();
}

fn nothing_that_is_asked_comes_back_as_it_was() {
    let serving = started(local());
    let evil = "%3Cscript%3Ealert(1)%3C/script%3E%0d%0aX-Evil:%201%1b%5b31m%e2%80%ae";
    for target in [
        format!("/{evil}"),
        format!("/debug/pprof/{evil}"),
        format!("/debug/pprof/heap?seconds={evil}"),
        format!("/debug/pprof/heap?debug={evil}"),
        format!("/debug/unkai/?names={evil}"),
        format!("/debug/unkai/heap.json?seconds={evil}&{evil}={evil}"),
    ] {
        let answer = get(serving.local_addr(), &target);
        assert!([400, 404].contains(&answer.status), "{target}");
        let media_type = answer.header("content-type");
        assert_eq!(media_type, Some("text/plain; charset=utf-8"), "{target}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("x-evil"), None, "{target}");
        let text = answer.text();
        let acts = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!text.contains(acts), "{text:?}");
        assert!(!text.contains("\nX-Evil"), "{text:?}");
    }
    let moved = get(serving.local_addr(), "/debug/pprof?next=//evil.example");
    assert_eq!(moved.header("location"), Some("pprof/"));
    serving.stop();
}

fn what_is_no_request_does_no_harm() {
    let serving = started(local());
    let server = serving.local_addr();
    // What was read first stays with the process: names, and the buffers of the allocator.
    assert_eq!(get(server, "/metrics").status, 200);
    let (memory, live) = (resident_bytes(), HEAP.usage().live_bytes());

    let long = vec![b'x'; 1 << 20];
    let line = [b"GET /", &long[..], b" HTTP/1.1\r\nHost: localhost\r\n\r\n"].concat();
    let header = [
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ",
        &long[..],
        b"\r\n\r\n",
    ]
    .concat();
    let mut flood = b"GET / HTTP/1.1\r\nHost: localhost\r\n".to_vec();
    for number in 0..100_000 {
        flood.extend(format!("X-{number}: x\r\n").bytes());
    }
    flood.extend(b"\r\n");
    let many = flood[..2000].to_vec();
    let short = [b"GET /", &long[..20_000], b" HTTP/1.1\r\n\r\n"].concat();
    for (what, bytes, statuses) in [
        ("a line of 1 MB", &line[..], &[431][..]),
        ("a header of 1 MB", &header, &[431]),
        ("a line of 20 KB", &short, &[431]),
        ("100,000 headers", &flood, &[431]),
        (
            "more than 64 headers",
            &[&many[..], b"\r\n\r\n"].concat(),
            &[431],
        ),
        (
            "garbage",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
            &[400],
        ),
        ("no HTTP", b"hello, is anybody there?\r\n\r\n", &[400]),
        ("zeros", &[0; 4096], &[400]),
    ] {
        match send(server, bytes) {
            Ok(answer) => assert!(
                statuses.contains(&answer.status),
                "{what}: {}",
                answer.status
            ),
            // It was closed before all was sent, and the system has thrown away what it said.
            Err(error) => assert!(bytes.len() > 100_000, "{what}: {error}"),
        }
        assert_eq!(get(server, "/debug/pprof/").status, 200, "after {what}");
    }
    // It is known, and not spoken: no answer of this protocol would be understood.
    assert!(send(server, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").is_err());
    // A body is not read, however long it is said to be.
    let post =
        b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\nsome";
    assert_eq!(send(server, post).expect("it answers").status, 405);
    drop((long, line, header, flood, many));

    wait_until("nothing is open", || serving.counts().open == 0);
    let grown = resident_bytes().saturating_sub(memory);
    assert!(grown < 16 << 20, "{grown} bytes");
    let live = HEAP.usage().live_bytes() - live;
    assert!(live < 1 << 20, "{live} bytes");
    serving.stop();
}

fn a_head_that_does_not_come_in_time_is_not_waited_for() {
    let serving = started(local().head_timeout(Duration::from_millis(300)));
    for beginning in [
        &b""[..],
        b"G",
        b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n",
    ] {
        let mut client = connect(serving.local_addr()).expect("it accepts");
        client.write_all(beginning).expect("it reads");
        let start = Instant::now();
        let mut answer = Vec::new();
        // Closed, with or without a word.
        let _closed = client.read_to_end(&mut answer);
        let waited = start.elapsed();
        assert!(waited > Duration::from_millis(200), "{waited:?}");
        assert!(waited < Duration::from_secs(10), "{waited:?}");
    }
    serving.stop();
}

fn a_client_that_takes_no_answer_makes_room_for_another() {
    // Some hundred KiB are with the system before anybody has to take anything: so the answer is larger.
    let endpoint = Endpoint::new().title("x".repeat(64 << 20));
    let serving = started(local().endpoint(endpoint).max_connections(1));
    let mut client = connect(serving.local_addr()).expect("it accepts");
    write!(
        client,
        "GET /debug/unkai/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
    )
    .expect("it reads");
    let mut first = [0; 12];
    client.read_exact(&mut first).expect("the answer begins");
    assert_eq!(&first, b"HTTP/1.1 200");
    // Not the first page: its title would be as long.
    assert_eq!(get(serving.local_addr(), "/nothing").status, 404);
    assert_eq!(serving.counts().closed_for_room, 1);
    serving.stop();
}

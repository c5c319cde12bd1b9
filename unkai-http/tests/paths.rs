//! Every path, every header and every refusal, over a real connection.

#[path = "support/client.rs"]
mod client;

use std::alloc::System;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use client::{get, request};
use flate2::read::GzDecoder;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use serde_json::Value;
use unkai_global::{Config, UnkaiGlobalAlloc};
use unkai_http::{Endpoint, Server};

#[global_allocator]
static HEAP: UnkaiGlobalAlloc<System> =
    UnkaiGlobalAlloc::with_config(System, Config::new().sampling_interval(4096));

/// One server for all tests, over a heap that holds something.
fn server() -> SocketAddr {
    static SERVER: OnceLock<SocketAddr> = OnceLock::new();
    *SERVER.get_or_init(|| {
        std::mem::forget(held_by_the_test());
        let mut registry = Registry::default();
        registry.register("own", "The program's own", Counter::<u64>::default());
        let endpoint = Endpoint::new().title("the <test>").max_at_once(64);
        let endpoint = endpoint.metrics(Arc::new(registry));
        let server = Server::new()
            .address(([127, 0, 0, 1], 0))
            .endpoint(endpoint);
        let address = server.start().expect("it starts").local_addr();
        // Metrics do not wait for names that another request looks up.
        get(address, "/debug/unkai/heap.json?names=all");
        address
    })
}

#[inline(never)]
fn held_by_the_test() -> Vec<Box<[u8]>> {
    (0..1000)
        .map(|_| vec![1; 1024].into_boxed_slice())
        .collect()
}

#[test]
fn profiles_are_compressed_and_named_and_say_what_they_show_first() {
    for (path, file, shown_first) in [
        ("/debug/pprof/heap", "heap.pb.gz", "inuse_space"),
        ("/debug/pprof/heap?gc=1", "heap.pb.gz", "inuse_space"),
        ("/debug/pprof/allocs", "allocs.pb.gz", "alloc_space"),
        (
            "/debug/pprof/heap?seconds=1",
            "heap-delta.pb.gz",
            "inuse_space",
        ),
        (
            "/debug/pprof/allocs?seconds=1&gc=0",
            "allocs-delta.pb.gz",
            "alloc_space",
        ),
    ] {
        let answer = get(server(), path);
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/octet-stream")
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let disposition = format!("attachment; filename=\"{file}\"");
        assert_eq!(answer.header("content-disposition"), Some(&*disposition));
        let mut profile = Vec::new();
        let mut decoder = GzDecoder::new(&*answer.body);
        decoder.read_to_end(&mut profile).expect("it is compressed");
        // The field default_sample_type, which is the last, names a string by its index.
        let strings = strings(&profile);
        let index = strings.iter().position(|string| string == shown_first);
        let index = u8::try_from(index.expect("it is among the strings")).expect("an early one");
        assert!(profile.ends_with(&[0x70, index]), "{path}");
        let is_delta = path.contains("seconds");
        assert_ne!(
            is_delta,
            strings.iter().any(|string| string == "peak_space")
        );
        if !is_delta {
            let name = "paths::held_by_the_test";
            assert!(
                strings.iter().any(|string| string.starts_with(name)),
                "{path}: {strings:?}"
            );
        }
    }
}

#[test]
fn who_asks_for_names_afterwards_is_told_that_there_are_no_more() {
    let answer = get(server(), "/debug/pprof/symbol");
    assert_eq!(
        (answer.status, answer.text().trim()),
        (200, "num_symbols: 0")
    );
}

/// The table of strings of a profile: field 6 of the message.
fn strings(mut profile: &[u8]) -> Vec<String> {
    let mut strings = Vec::new();
    while let Some((&key, rest)) = profile.split_first() {
        profile = rest;
        let value = varint(&mut profile);
        if key & 7 == 2 {
            let (content, rest) = profile.split_at(value);
            if key >> 3 == 6 {
                strings.push(String::from_utf8(content.to_vec()).expect("it is text"));
            }
            profile = rest;
        }
    }
    strings
}

fn varint(bytes: &mut &[u8]) -> usize {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().expect("it is complete");
        *bytes = rest;
        value |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

#[test]
fn without_names_there_are_addresses_and_modules() {
    let answer = get(server(), "/debug/unkai/heap.json?names=none");
    let profile: Value = serde_json::from_slice(&answer.body).expect("it is JSON");
    assert_eq!(profile["functions"].as_array().map(Vec::len), Some(0));
    assert!(!profile["modules"].as_array().expect("a list").is_empty());
    assert!(!profile["addresses"].as_array().expect("a list").is_empty());
}

#[test]
fn debug_is_the_report_as_text() {
    for path in ["/debug/pprof/heap?debug=1", "/debug/pprof/allocs?debug=2"] {
        let answer = get(server(), path);
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("content-disposition"), None);
        assert!(
            answer.text().contains("held_by_the_test"),
            "{}",
            answer.text()
        );
    }
}

#[test]
fn metrics_are_one_document_with_those_of_the_program() {
    let answer = get(server(), "/metrics");
    assert_eq!(answer.status, 200);
    let openmetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(answer.header("content-type"), Some(openmetrics));
    assert_eq!(answer.header("content-disposition"), None);
    let text = answer.text();
    assert!(text.contains("\nown_total 0\n"), "{text}");
    assert!(text.contains("\nunkai_live_bytes "));
    assert!(
        text.contains("unkai_site_live_bytes{function=\"paths::held_by_the_test"),
        "{text}"
    );
    assert!(text.ends_with("# EOF\n"));
    assert_eq!(text.matches("# EOF").count(), 1);
}

#[test]
fn the_report_is_a_page_that_may_not_be_framed() {
    let answer = get(server(), "/debug/unkai/");
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let policy = answer
        .header("content-security-policy")
        .expect("there is one");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    assert!(answer.text().contains("the &lt;test&gt;"));
    assert!(answer.text().contains("held_by_the_test"));
}

#[test]
fn the_profile_as_json_and_as_folded_stacks() {
    let answer = get(server(), "/debug/unkai/heap.json");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let disposition = "attachment; filename=\"the__test_.heap.json\"";
    assert_eq!(answer.header("content-disposition"), Some(disposition));
    let profile: Value = serde_json::from_slice(&answer.body).expect("it is JSON");
    assert_eq!(profile["schema"], "unkai.heap-profile");

    let answer = get(server(), "/debug/unkai/heap.folded");
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    let line = answer
        .text()
        .lines()
        .find(|line| line.contains("held_by_the_test"));
    let value = line
        .and_then(|line| line.rsplit_once(' '))
        .expect("a stack and a value")
        .1;
    assert!(
        value.parse::<u64>().is_ok_and(|bytes| bytes > 100_000),
        "{value}"
    );
}

#[test]
fn the_first_page_links_to_every_path_and_every_link_leads_somewhere() {
    let answer = get(server(), "/debug/pprof/");
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert!(answer.text().contains("the &lt;test&gt;"));
    let links: Vec<&str> = answer
        .text()
        .split("href=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    let mut found = Vec::new();
    for link in links.iter().filter(|link| !link.starts_with("data:")) {
        let path = match link.strip_prefix("../../") {
            Some(rest) => format!("/{rest}"),
            None => match link.strip_prefix("../") {
                Some(rest) => format!("/debug/{rest}"),
                None => format!("/debug/pprof/{link}"),
            },
        };
        let head = request(server(), "HEAD", &path).expect("it answers");
        assert_eq!(head.status, 200, "{path}");
        found.push(path);
    }
    let missing = get(server(), "/nothing");
    let paths = missing
        .text()
        .lines()
        .filter(|line| line.starts_with("  /"));
    for path in paths.map(str::trim).filter(|path| *path != "/debug/pprof/") {
        assert!(
            found.iter().any(|found| found == path),
            "{path} is not linked to: {found:?}"
        );
    }
}

#[test]
fn an_unknown_path_names_those_that_exist() {
    for path in [
        "/nothing",
        "/debug/pprof/profile",
        "/debug/pprof/heap/",
        "/debug/pprof/../heap",
        "/metrics/",
        "//",
        "/%6detrics",
    ] {
        let answer = get(server(), path);
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(
            answer.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("x-go-pprof"), Some("1"));
        for known in [
            "/debug/pprof/heap",
            "/debug/pprof/allocs",
            "/debug/unkai/",
            "/metrics",
        ] {
            assert!(answer.text().contains(known), "{}", answer.text());
        }
    }
}

#[test]
fn a_missing_slash_is_a_redirect_that_holds_below_any_prefix() {
    for (path, to) in [
        ("/", "debug/pprof/"),
        ("/debug/pprof", "pprof/"),
        ("/debug/unkai", "unkai/"),
    ] {
        let answer = get(server(), path);
        assert_eq!((answer.status, answer.header("location")), (307, Some(to)));
    }
}

#[test]
fn only_get_and_head_are_answered() {
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"] {
        let answer = request(server(), method, "/debug/pprof/heap").expect("it answers");
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), Some("GET, HEAD"));
        assert!(answer.text().contains("GET or HEAD"));
    }
    for path in [
        "/debug/pprof/heap?seconds=300",
        "/debug/unkai/",
        "/metrics",
        "/debug/pprof/",
    ] {
        let answer = request(server(), "HEAD", path).expect("it answers at once");
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.header("content-type").is_some());
        assert!(answer.body.is_empty(), "{path}");
        assert_eq!(
            answer.header("content-length"),
            None,
            "it is not known: {path}"
        );
    }
}

#[test]
fn bad_parameters_are_refused_by_a_sentence() {
    for (query, says) in [
        ("seconds=0", "from 1 to 300"),
        ("seconds=-1", "from 1 to 300"),
        ("seconds=abc", "seconds=abc"),
        ("seconds=1e9", "seconds=1e9"),
        ("seconds=301", "from 1 to 300"),
        ("seconds=99999999999999999999", "from 1 to 300"),
        ("seconds=", "from 1 to 300"),
        ("seconds=5&debug=1", "do not go together"),
        ("debug=x", "debug=x"),
        ("names=some", "none, for addresses only, or all"),
        ("seconds=%00%ff", "\\0\u{fffd}"),
    ] {
        for path in ["heap", "allocs"] {
            let answer = get(server(), &format!("/debug/pprof/{path}?{query}"));
            assert_eq!(answer.status, 400, "{query}");
            assert_eq!(
                answer.header("content-type"),
                Some("text/plain; charset=utf-8")
            );
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
            assert_eq!(answer.header("x-go-pprof"), Some("1"));
            assert_eq!(answer.header("content-disposition"), None);
            assert!(answer.text().contains(says), "{query}: {}", answer.text());
        }
    }
}

#[test]
fn parameters_that_nobody_knows_are_ignored() {
    for path in [
        "/metrics?seconds=0",
        "/debug/pprof/heap?x=1&&y",
        "/debug/unkai/heap.folded?debug=1",
    ] {
        assert_eq!(get(server(), path).status, 200, "{path}");
    }
}

#[test]
fn a_window_has_what_came_in_it() {
    let (server, stop) = (
        server(),
        Arc::new(std::sync::atomic::AtomicBool::new(false)),
    );
    let until = Arc::clone(&stop);
    let allocates = std::thread::spawn(move || {
        while !until.load(std::sync::atomic::Ordering::Relaxed) {
            come_and_go();
        }
    });
    let answer = get(server, "/debug/unkai/heap.json?seconds=1");
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    allocates.join().expect("it does not panic");
    let profile: Value = serde_json::from_slice(&answer.body).expect("it is JSON");
    let window = &profile["window"];
    assert!(
        window["seconds"]
            .as_u64()
            .is_some_and(|seconds| (1..30).contains(&seconds)),
        "{window}"
    );
    let text = answer.text();
    assert!(text.contains("come_and_go"), "what is new is named");
}

#[inline(never)]
fn come_and_go() {
    drop(std::hint::black_box(vec![1_u8; 50_000]));
}

//! A small client that asks the HTTP endpoint again and again, as Prometheus, a profile server and people do.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::gate::Work;
use crate::latency::Moments;

/// What is asked for in turn, and how each answer begins and ends.
const PATHS: [(&str, &[u8], &[u8]); 8] = [
    ("/metrics", b"# HELP", b"# EOF\n"),
    ("/debug/pprof/heap", &[0x1f, 0x8b], b""),
    ("/debug/unkai/heap.json", b"{", b"}\n"),
    ("/metrics", b"# HELP", b"# EOF\n"),
    ("/debug/pprof/allocs?seconds=1", &[0x1f, 0x8b], b""),
    ("/debug/unkai/", b"<!", b"\n"),
    ("/debug/unkai/heap.folded?names=none", b"", b""),
    ("/debug/pprof/heap?debug=1", b"", b"\n"),
];

/// Between two requests.
const EVERY: Duration = Duration::from_millis(600);

pub(crate) struct Scraper {
    server: SocketAddr,
    moments: Arc<Moments>,
    asked: Arc<AtomicU64>,
    next: usize,
    is_quiet: bool,
    due: Instant,
}

impl Scraper {
    pub(crate) fn new(server: SocketAddr, moments: Arc<Moments>, asked: Arc<AtomicU64>) -> Self {
        Self {
            server,
            moments,
            asked,
            next: 0,
            is_quiet: true,
            due: Instant::now(),
        }
    }

    fn ask(&self, path: &str) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.server).expect("it listens");
        let limit = Some(Duration::from_secs(60));
        stream.set_read_timeout(limit).expect("a minute is a time");
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it listens");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it answers");
        answer
    }
}

impl Work for Scraper {
    fn begin(&mut self, is_quiet: bool) {
        self.is_quiet = is_quiet;
        self.due = Instant::now() + EVERY;
    }

    fn step(&mut self) {
        if self.is_quiet || Instant::now() < self.due {
            return thread::sleep(Duration::from_millis(20));
        }
        self.due = Instant::now() + EVERY;
        let (path, begins, ends) = PATHS[self.next % PATHS.len()];
        self.next += 1;
        let answer = self.moments.of_reports(|| self.ask(path));
        let head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        let head = head.unwrap_or_else(|| panic!("{path}: no whole answer"));
        let (head, body) = (
            String::from_utf8_lossy(&answer[..head]),
            &answer[head + 4..],
        );
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
        assert!(
            body.len() > 50 && body.starts_with(begins) && body.ends_with(ends),
            "{path}: {} bytes: {:?}…",
            body.len(),
            String::from_utf8_lossy(&body[..body.len().min(80)])
        );
        self.asked.fetch_add(1, Ordering::Relaxed);
    }

    fn rest(&mut self) {}
}

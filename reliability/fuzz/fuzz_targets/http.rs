//! Any bytes of a client are answered as this server answers, or refused by hyper: the heads are well-formed, no message
//! acts, and no other host than those of this machine comes to an answer.
//!
//! What would be worked for is asked for by HEAD instead: making documents is what other targets do.

#![no_main]

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::HOST;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request};
use libfuzzer_sys::fuzz_target;
use unkai_fuzz::text::does_not_act;
use unkai_http::Endpoint;
use unkai_http::internals::is_answered;

fuzz_target!(|input: &[u8]| {
    let endpoint = Endpoint::new();
    let service = service_fn(|mut request: Request<Incoming>| {
        let is_local = is_local(&request);
        assert_eq!(is_answered(&[], &request), is_local, "{request:?}");
        assert!(is_answered(&["*"], &request));
        let is_index = request.uri().path() == "/debug/pprof/";
        if *request.method() == Method::GET && !is_index {
            *request.method_mut() = Method::HEAD;
        }
        let answer = endpoint.respond(&request);
        async move {
            let (head, body) = answer.await.into_parts();
            let body = body.collect().await?.to_bytes();
            let status = head.status.as_u16();
            assert!(matches!(status, 200 | 307 | 400 | 404 | 405), "{status}");
            for line in std::str::from_utf8(&body).expect("UTF-8").lines() {
                does_not_act("an answer", line);
            }
            if status >= 400 {
                assert!(body.len() < 2048, "{} bytes", body.len());
            }
            let body = http_body_util::Full::new(body);
            Ok::<_, Infallible>(hyper::Response::from_parts(head, body))
        }
    });
    let mut written = Vec::new();
    let stream = Memory {
        input,
        written: &mut written,
    };
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(16 << 10)
        .max_headers(64)
        .serve_connection(stream, service);
    // Everything is there at once: nobody waits.
    let mut context = Context::from_waker(Waker::noop());
    let mut connection = pin!(connection);
    let ended = (0..1000).any(|_| connection.as_mut().poll(&mut context).is_ready());
    assert!(ended, "a connection that never ends");
    let head = written.windows(4).position(|end| end == b"\r\n\r\n");
    if let Some(head) = head {
        for line in written[..head].split(|&byte| byte == b'\n') {
            let line = std::str::from_utf8(line).expect("ASCII");
            does_not_act("a head", line.trim_end_matches('\r'));
        }
    }
});

/// As the check of hosts is meant, in other words: every one that is named is of this machine.
fn is_local(request: &Request<Incoming>) -> bool {
    let in_target = request.uri().host().map(|host| host.as_bytes().to_vec());
    let in_headers = request.headers().get_all(HOST).iter();
    let in_headers = in_headers.map(|host| host.as_bytes().to_vec());
    in_target.into_iter().chain(in_headers).all(|host| {
        let Ok(host) = String::from_utf8(host) else {
            return false;
        };
        let host = host.to_ascii_lowercase();
        let port = host
            .rfind(':')
            .filter(|&at| host[at + 1..].chars().all(|c| c.is_ascii_digit()));
        let name = host[..port.unwrap_or(host.len())].trim_end_matches('.');
        let address = match (name.chars().next(), name.chars().last()) {
            (Some('['), Some(']')) if name.len() > 2 => name[1..name.len() - 1]
                .parse::<std::net::Ipv6Addr>()
                .ok()
                .map(IpAddr::V6),
            _ => name.parse::<std::net::Ipv4Addr>().ok().map(IpAddr::V4),
        };
        name == "localhost"
            || name.ends_with(".localhost")
            || address.is_some_and(|address| address.to_canonical().is_loopback())
    })
}

/// A client that has sent all that it sends, and takes all that it gets.
struct Memory<'a> {
    input: &'a [u8],
    written: &'a mut Vec<u8>,
}

impl Read for Memory<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        let length = self.input.len().min(buffer.remaining());
        let (now, later) = self.input.split_at(length);
        buffer.put_slice(now);
        self.input = later;
        Poll::Ready(Ok(()))
    }
}

impl Write for Memory<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.written.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

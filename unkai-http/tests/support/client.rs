//! A client that sends whatever bytes it is told to, and reads to the end of the connection.

#![allow(dead_code, reason = "each test uses some of it")]

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(':'));
        let found = headers.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }
}

pub(crate) fn get(server: SocketAddr, target: &str) -> Answer {
    request(server, "GET", target).expect("the server answers")
}

pub(crate) fn request(server: SocketAddr, method: &str, target: &str) -> io::Result<Answer> {
    let head =
        format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    send(server, head.as_bytes())
}

/// Sends `bytes` and reads the answer. An error if there is none, or it is not complete.
pub(crate) fn send(server: SocketAddr, bytes: &[u8]) -> io::Result<Answer> {
    let mut stream = connect(server)?;
    // The server may close before all is sent; what it said first is read below.
    let _sent = stream.write_all(bytes);
    let mut all = Vec::new();
    let read = stream.read_to_end(&mut all);
    parse(&all).ok_or_else(|| {
        let why = format!("{read:?}: {}", String::from_utf8_lossy(&all));
        io::Error::new(io::ErrorKind::InvalidData, why)
    })
}

pub(crate) fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.set_write_timeout(Some(Duration::from_secs(60)))?;
    Ok(stream)
}

fn parse(all: &[u8]) -> Option<Answer> {
    let end = all.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let head = String::from_utf8(all[..end].to_vec()).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let answer = Answer {
        status,
        head,
        body: all[end + 4..].to_vec(),
    };
    let length = answer
        .header("content-length")
        .map(|length| length.parse::<usize>());
    match length {
        // The answer to HEAD may tell of a body that does not follow.
        Some(Ok(length)) if !answer.body.is_empty() && length != answer.body.len() => None,
        _ => Some(answer),
    }
}

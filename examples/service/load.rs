//! Clients that put, get and search, each on a connection of its own, as fast as they are answered.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

/// Starts client number `number`. It lives as long as the program.
pub(crate) fn start(service: SocketAddr, number: u64) {
    thread::spawn(move || {
        let mut random = Random(number + 1);
        loop {
            if let Err(error) = work(service, &mut random) {
                eprintln!("client {number}: {error}; it connects again");
            }
            thread::sleep(Duration::from_secs(1));
        }
    });
}

fn work(service: SocketAddr, random: &mut Random) -> io::Result<()> {
    let mut service = BufReader::new(TcpStream::connect(service)?);
    loop {
        let name = random.below(DOCUMENTS);
        match random.below(4) {
            0 => request(
                &mut service,
                "PUT",
                &format!("/documents/{name}"),
                &text(random),
            )?,
            1 => {
                let target = format!("/search?word={}&word={}", word(random), word(random));
                request(&mut service, "GET", &target, "")?;
            }
            _ => request(&mut service, "GET", &format!("/documents/{name}"), "")?,
        }
    }
}

/// Sends a request, and reads the answer to its end.
fn request(
    service: &mut BufReader<TcpStream>,
    method: &str,
    target: &str,
    body: &str,
) -> io::Result<()> {
    let length = body.len();
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    service.get_mut().write_all(request.as_bytes())?;
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        if service.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let header = line.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    io::copy(&mut service.take(length), &mut io::sink())?;
    Ok(())
}

fn text(random: &mut Random) -> String {
    let words = 50 + random.below(400);
    (0..words).map(|_| word(random) + " ").collect()
}

/// Few words are in most documents, and many in few, as in every language.
fn word(random: &mut Random) -> String {
    let most = random.below(WORDS) + 1;
    format!("word{}", random.below(most))
}

/// Xorshift: the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

const DOCUMENTS: u64 = 5000;
const WORDS: u64 = 20_000;

//! `UNKAI_HTTP` says where to serve. Starts itself as the program under control.

use std::alloc::System;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Output};

use unkai_global::{Config, UnkaiGlobalAlloc};

#[global_allocator]
static HEAP: UnkaiGlobalAlloc<System> = UnkaiGlobalAlloc::with_config(System, Config::new());

fn main() {
    if std::env::args().any(|argument| argument == CHILD) {
        return serve();
    }
    not_set_or_empty_nothing_is_served();
    an_address_is_served();
    what_makes_no_sense_is_said_and_the_program_goes_on();
    println!("UNKAI_HTTP says where to serve");
}

/// The program under control: serves, asks itself for a page, and says what came of it.
fn serve() {
    match unkai_http::from_env() {
        Ok(None) => println!("nothing is served"),
        Ok(Some(serving)) => println!("served: {}", answer_of(serving.local_addr())),
        Err(error) => println!("{error}"),
    }
    println!("the program goes on");
}

fn answer_of(address: SocketAddr) -> String {
    use std::io::Write;
    let port = address.port();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    write!(
        stream,
        "GET /debug/pprof/heap HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"
    )
    .expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    let text = String::from_utf8_lossy(&answer);
    text.lines().next().unwrap_or_default().to_owned()
}

fn not_set_or_empty_nothing_is_served() {
    for value in [None, Some(""), Some("  ")] {
        assert_eq!(said(value), "nothing is served\nthe program goes on\n");
    }
}

fn an_address_is_served() {
    for value in ["0", "127.0.0.1:0", "localhost:0", "0.0.0.0:0,remote"] {
        let said = said(Some(value));
        assert_eq!(
            said, "served: HTTP/1.1 200 OK\nthe program goes on\n",
            "{value}"
        );
    }
}

fn what_makes_no_sense_is_said_and_the_program_goes_on() {
    let remote = said(Some("0.0.0.0:0"));
    assert!(remote.contains("`,remote` at the end"), "{remote}");
    let nonsense = said(Some("everywhere"));
    assert!(
        nonsense.starts_with("UNKAI_HTTP is \"everywhere\": expected a port"),
        "{nonsense}"
    );
    for said in [remote, nonsense] {
        assert!(said.ends_with("\nthe program goes on\n"), "{said}");
    }
}

fn said(value: Option<&str>) -> String {
    let mut program = Command::new(std::env::current_exe().expect("the system says"));
    program.arg(CHILD).env_remove("UNKAI_HTTP");
    program.envs(value.map(|value| ("UNKAI_HTTP", value)));
    let Output { status, stdout, .. } = program.output().expect("it runs");
    assert!(status.success(), "{status}");
    String::from_utf8(stdout).expect("it is text")
}

const CHILD: &str = "--under-control";

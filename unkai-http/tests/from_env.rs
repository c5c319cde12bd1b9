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
    #[cfg(target_os = "linux")]
    a_program_with_more_rights_than_its_caller_serves_nothing();
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

/// As root alone: nobody else can make a program for everybody that runs as somebody else.
#[cfg(target_os = "linux")]
fn a_program_with_more_rights_than_its_caller_serves_nothing() {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;

    const NOBODY: u32 = 65_534;
    let folder = tempfile::tempdir().expect("there is room");
    let copy = folder.path().join("program");
    let mode = |path, mode| fs::set_permissions(path, Permissions::from_mode(mode));
    let this = std::env::current_exe().expect("the system says");
    fs::copy(this, &copy).expect("there is room");
    mode(folder.path(), 0o755).expect("it is ours");
    for (bits, expected) in [
        (0o4755, "nothing is served\n"),
        (0o755, "served: HTTP/1.1 200 OK\n"),
    ] {
        mode(&copy, bits).expect("it is ours");
        let mut program = Command::new(&copy);
        program.arg(CHILD).env("UNKAI_HTTP", "0");
        let Ok(output) = program.uid(NOBODY).gid(NOBODY).output() else {
            return println!("skipped: only root can try what set-user-ID programs do");
        };
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.starts_with(expected), "{bits:o}: {said}");
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

//! What a person at a terminal sees.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::tool::Folder;

/// A terminal: the side of the person, and that of the program.
struct Terminal {
    person: File,
    program: File,
}

impl Terminal {
    fn with_columns(columns: u16) -> Self {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("Linux has terminals");
        grantpt(&person).expect("it is ours");
        unlockpt(&person).expect("it is ours");
        let path = ptsname(&person, Vec::new()).expect("it has a name");
        let path = path.to_str().expect("it is ASCII");
        let program = OpenOptions::new().read(true).write(true).open(path);
        let size = Winsize {
            ws_row: 24,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&person, size).expect("terminals have a size");
        Self {
            person: File::from(person),
            program: program.expect("it is unlocked"),
        }
    }

    /// For the program: one of its streams.
    fn stream(&self) -> Stdio {
        Stdio::from(
            self.program
                .try_clone()
                .expect("there are descriptors left"),
        )
    }

    /// All that `command` shows on its standard output, and its exit code.
    fn show(self, command: &mut Command) -> (String, Option<i32>) {
        let command = command.env_remove("COLUMNS").stdout(self.stream());
        let mut child = command.spawn().expect("it can be run");
        // Nobody but the program has its side now, so that its end is the end.
        command.stdout(Stdio::null());
        drop(self.program);
        let shown = until_the_end(self.person);
        (shown, child.wait().expect("it ends").code())
    }
}

/// What is shown until no program has the terminal any more.
fn until_the_end(mut person: File) -> String {
    let mut shown = Vec::new();
    // The end is an error on Linux: there is nobody at the other side.
    let _ = person.read_to_end(&mut shown);
    String::from_utf8_lossy(&shown).replace("\r\n", "\n")
}

/// `text` without the commands to the terminal, which all end in a letter.
fn plain(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default();
    let others = parts.map(|part| part.split_once(char::is_alphabetic).unwrap_or_default().1);
    [first].into_iter().chain(others).collect()
}

#[test]
fn text_has_the_width_and_the_colours_of_the_terminal() {
    let folder = Folder::with_samples();
    for columns in [80, 120] {
        let mut command = folder.command(&["report", "service.json"]);
        let command = command.env("TERM", "xterm").env_remove("NO_COLOR");
        let (shown, code) = Terminal::with_columns(columns).show(command);
        assert_eq!(code, Some(0));
        assert!(shown.contains("\x1b["), "{shown}");
        let shown = plain(&shown);
        let widest = shown.lines().map(|line| line.chars().count()).max();
        assert_eq!(widest, Some(columns.into()));
        let width = columns.to_string();
        let expected = folder
            .run(&["report", "service.json", "--width", &width])
            .printed();
        assert_eq!(shown, expected);
    }
}

#[test]
fn who_wants_no_colour_gets_none() {
    let folder = Folder::with_samples();
    let expected = folder.run(&["top", "service.json"]).printed();
    for (name, value, argument) in [
        ("NO_COLOR", "1", "--color=auto"),
        ("TERM", "dumb", "--color=auto"),
        ("TERM", "xterm", "--color=never"),
    ] {
        let mut command = folder.command(&["top", "service.json", argument]);
        let terminal = Terminal::with_columns(80);
        let command = command.env("TERM", "xterm").env_remove("NO_COLOR");
        let shown = terminal.show(command.env(name, value));
        assert_eq!(shown, (expected.clone(), Some(0)), "{name}={value}");
    }
}

#[test]
fn colour_can_be_had_everywhere() {
    let folder = Folder::with_samples();
    let expected = folder.run(&["top", "service.json"]).printed();
    let coloured = folder
        .run(&["top", "service.json", "--color", "always"])
        .printed();
    assert_ne!(coloured, expected);
    assert_eq!(plain(&coloured), expected);
}

#[test]
fn what_is_no_text_does_not_go_to_a_terminal() {
    let folder = Folder::with_samples();
    let convert = ["convert", "service.json", "--to", "pprof"];
    let mut command = folder.command(&convert);
    let mut errors = folder.create("errors.txt");
    let stderr = errors.try_clone().expect("there are descriptors left");
    let shown = Terminal::with_columns(80).show(command.stderr(stderr));
    errors.flush().expect("the disk has room");
    assert_eq!(shown, (String::new(), Some(2)));
    assert_eq!(
        folder.get("errors.txt"),
        "error: the format pprof is no text and would garble the terminal: say -o FILE\n\nFor more information, try \
         '--help'.\n"
    );
    let piped = folder.command(&convert).output().expect("it can be run");
    assert!(piped.stdout.starts_with(b"\x1f\x8b"));
}

#[test]
fn what_takes_long_says_so_and_leaves_no_trace() {
    let folder = Folder::with_samples();
    let mut terminal = Terminal::with_columns(80);
    let mut command = folder.command(&["info", "-"]);
    let command = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(terminal.stream());
    let mut child = command.spawn().expect("it can be run");
    command.stderr(Stdio::null());
    drop(terminal.program);
    // The profile does not come before the line is there.
    let expected = "\r\x1b[Kreading standard input … 1 s";
    let mut shown = vec![0; expected.len()];
    terminal
        .person
        .read_exact(&mut shown)
        .expect("it shows something");
    assert_eq!(String::from_utf8_lossy(&shown), expected);
    let mut input = child.stdin.take().expect("it is piped");
    let profile = folder.get("service.json");
    input.write_all(profile.as_bytes()).expect("it is read");
    drop(input);
    let rest = until_the_end(terminal.person);
    assert!(rest.ends_with("\r\x1b[K"), "{rest:?}");
    let output = child.wait_with_output().expect("it ends");
    let expected = folder.run(&["info", "service.json"]).printed();
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}

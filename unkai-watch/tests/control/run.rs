//! Runs the tests one after the other, and programs for them.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::panic;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use unkai_report::{Report, json};

use crate::{program, tests};

/// Runs those whose names contain `filter`.
pub(super) fn all(filter: Option<&str>) {
    let is_chosen = |(name, _): &&(&str, fn())| filter.is_none_or(|filter| name.contains(filter));
    let mut failed = 0;
    for (name, test) in tests::ALL.iter().filter(is_chosen) {
        let is_ok = panic::catch_unwind(test).is_ok();
        println!("test {name} ... {}", if is_ok { "ok" } else { "FAILED" });
        failed += usize::from(!is_ok);
    }
    assert_eq!(failed, 0, "tests failed");
}

/// A program that will run in `role` under `variables` and no other of unkai's.
pub(super) fn program(role: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([program::ARGUMENT, role]);
    command.env_remove("RUST_BACKTRACE");
    command.envs(variables.iter().copied());
    command
}

/// Runs it to its end.
pub(super) fn to_its_end(role: &str, variables: &[(&str, &str)]) -> Ended {
    Ended(program(role, variables).output().unwrap())
}

/// A program that has ended.
pub(super) struct Ended(pub(super) Output);

impl Ended {
    /// What it printed after the word `what`.
    pub(super) fn printed(&self, what: &str) -> String {
        let printed = String::from_utf8_lossy(&self.0.stdout);
        let line = printed.lines().find_map(|line| line.strip_prefix(what));
        line.unwrap_or_else(|| panic!("no {what} in {printed}\n{}", self.said()))
            .trim()
            .to_owned()
    }

    /// What it said on standard error.
    pub(super) fn said(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    /// It did what it does without any variable, and ended as it does.
    pub(super) fn is_unharmed(&self) {
        assert_eq!(self.0.status.code(), Some(0), "{}", self.said());
        let leaked: usize = self.printed("leaked").parse().unwrap();
        assert!((program::LEAK_BYTES..program::LEAK_BYTES + (1 << 20)).contains(&leaked));
    }
}

/// A program that goes on until it is told to end.
pub(super) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    stderr: BufReader<ChildStderr>,
}

impl Running {
    /// Starts it, and waits until it has read its variables.
    pub(super) fn start(role: &str, variables: &[(&str, &str)]) -> Self {
        let mut command = program(role, variables);
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut running = Self {
            child,
            stdin,
            stdout,
            stderr,
        };
        while !running.line().starts_with("watching") {}
        running
    }

    pub(super) fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.child.id()).unwrap();
        // SAFETY: a system call without pointers; the process is a child that was not waited for.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }

    /// Tells it something, and hears a line if it answers.
    pub(super) fn tell(&mut self, what: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{what}").unwrap();
    }

    pub(super) fn line(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(self.stdout.read_line(&mut line).unwrap(), 0, "it has ended");
        line.trim_end().to_owned()
    }

    /// Lets it return from `main`.
    pub(super) fn end(mut self) {
        drop(self.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }

    /// The next line that it says on standard error.
    pub(super) fn error_line(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(self.stderr.read_line(&mut line).unwrap(), 0, "it has ended");
        line.trim_end().to_owned()
    }
}

/// The files in a directory that are whole, sorted.
pub(super) fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let is_whole = |path: &PathBuf| !path.file_name().unwrap().to_string_lossy().starts_with('.');
    let mut files: Vec<PathBuf> = paths.filter(is_whole).collect();
    files.sort();
    files
}

/// Waits until `directory` has so many files that are whole.
pub(super) fn wait_for_files(directory: &Path, count: usize) -> Vec<PathBuf> {
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        let files = files(directory);
        if files.len() >= count {
            return files;
        }
        assert!(Instant::now() < limit, "{files:?} are not {count}");
        thread::yield_now();
    }
}

/// Whether a report in JSON names the function that leaks.
pub(super) fn names_the_leak(path: &Path) -> bool {
    let text = fs::read(path).unwrap();
    let report: Report = json::read(&text[..]).unwrap();
    let functions = report.snapshot().sites.iter().flat_map(|site| {
        let frames = report.call_stack(site);
        frames
            .into_iter()
            .map(|frame| frame.short_name().into_owned())
    });
    functions.into_iter().any(|name| name.contains("leak_here"))
}

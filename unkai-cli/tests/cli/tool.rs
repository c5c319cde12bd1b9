//! Runs the program in a folder of its own, and compares what it prints with what is agreed.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use unkai_core::{Bounds, Scope};
use unkai_report::{Report, json, scopes};

use crate::samples;

/// What a run of the program gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A folder with files to read.
pub(crate) struct Folder(TempDir);

impl Folder {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder can be made"))
    }

    /// `service.json`, a healthy profile; `earlier.json`, of a minute before; `scopes.json`.
    pub(crate) fn with_samples() -> Self {
        let folder = Self::new();
        folder.save("service.json", &samples::search_service());
        folder.save("earlier.json", &earlier());
        let process = Scope::root("search").limit(64 << 20).build();
        let process = process.expect("nothing is guaranteed");
        let cache = process.child("cache").limit(24 << 20).build();
        let cache = cache.expect("nothing is guaranteed");
        let _pages = cache.try_reserve(18 << 20).expect("there is room");
        let mut file = folder.create("scopes.json");
        let (tree, options) = (
            process.snapshot(Bounds::new()),
            scopes::json::Options::new(),
        );
        scopes::json::write(&tree, &options, &mut file).expect("the disk has room");
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn create(&self, name: &str) -> File {
        File::create(self.path(name)).expect("the folder can be written")
    }

    pub(crate) fn save(&self, name: &str, report: &Report) {
        let mut out = Vec::new();
        json::write(report, &json::Options::new(), &mut out).expect("a Vec takes it");
        self.put(name, &out);
    }

    pub(crate) fn put(&self, name: &str, content: &[u8]) {
        fs::write(self.path(name), content).expect("the folder can be written");
    }

    pub(crate) fn get(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("the file was written")
    }

    /// The names of all files, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let files = fs::read_dir(self.0.path()).expect("the folder can be read");
        let name = |file: fs::DirEntry| file.file_name().to_string_lossy().into_owned();
        let mut names: Vec<_> = files
            .map(|file| name(file.expect("it can be read")))
            .collect();
        names.sort();
        names
    }

    /// The program, about to be run here.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_unkai"));
        command.args(arguments).current_dir(self.0.path());
        command.env("COLUMNS", "80").stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        let output = self.command(arguments).output();
        Run::from(output.expect("the program can be run"))
    }

    /// Runs the program with `input` as its standard input.
    pub(crate) fn run_with(&self, input: &[u8], arguments: &[&str]) -> Run {
        let mut command = self.command(arguments);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command
            .stderr(Stdio::piped())
            .spawn()
            .expect("it can be run");
        let mut stdin = child.stdin.take().expect("it is piped");
        // The program may end without reading all.
        let _ = stdin.write_all(input);
        drop(stdin);
        Run::from(child.wait_with_output().expect("it ends"))
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it prints UTF-8");
        Self {
            code: output.status.code().expect("nothing kills it"),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

impl Run {
    /// What it printed, if all went well.
    #[track_caller]
    pub(crate) fn printed(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{}", self.out);
        self.out
    }

    /// Demands that it failed in this way, and printed nothing else.
    #[track_caller]
    pub(crate) fn failed(&self, code: i32, message: &str) {
        assert_eq!((self.code, self.err.as_str()), (code, message));
        assert_eq!(self.out, "");
    }
}

/// The search service a minute before.
pub(crate) fn earlier() -> Report {
    let report = samples::search_service();
    let modules = report.modules().clone();
    let (mut snapshot, symbols) = report.into_parts();
    let minute = Duration::from_secs(60);
    snapshot.uptime -= minute;
    snapshot.taken_at -= minute;
    snapshot.totals.allocated.bytes -= 40_000_000;
    snapshot.totals.allocated.blocks -= 20_000;
    snapshot.totals.freed.bytes -= 36_000_000;
    snapshot.totals.freed.blocks -= 18_000;
    let cache = &mut snapshot.sites[4];
    for estimate in [&mut cache.live, &mut cache.allocated] {
        estimate.samples -= 10;
        estimate.bytes -= 5_000_000.0;
        estimate.blocks -= 2_500.0;
        estimate.bytes_variance *= 0.75;
    }
    Report::from_parts(snapshot, symbols).with_modules(modules)
}

/// Compares with a file of the folder `golden`; `UNKAI_BLESS=1` writes it.
#[track_caller]
pub(crate) fn check(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("UNKAI_BLESS").is_some() {
        fs::write(&path, actual).expect("the folder of golden files can be written");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(actual, expected, "{name}");
}

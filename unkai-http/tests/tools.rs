//! The example `service`, under load, as `go tool pprof`, `promtool`, a Prometheus server and the tool `unkai` read it.
//!
//! `ci/service.sh` installs these and runs this. Where one is not installed, its tests are counted as ignored, and say why.

#[path = "support/client.rs"]
mod client;
#[path = "tools/prometheus.rs"]
mod prometheus;
#[path = "../../unkai-report/tests/support/real_prometheus.rs"]
mod real_prometheus;
#[path = "tools/service.rs"]
mod service;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use libtest_mimic::{Arguments, Failed, Trial};
use service::Service;

type Result<T = ()> = std::result::Result<T, Failed>;

fn main() -> ExitCode {
    let tests = vec![
        trial("pprof::what_is_live_and_where_it_was_allocated", "go", heap),
        trial("pprof::what_came_in_five_seconds", "go", delta),
        trial("pprof::all_that_was_allocated", "go", allocs),
        trial(
            "pprof::a_profile_without_names_is_read",
            "go",
            without_names,
        ),
        trial("pprof::a_refusal_is_shown_to_the_user", "go", refusal),
        trial(
            "prometheus::promtool_has_no_complaint",
            "promtool",
            prometheus::lint,
        ),
        trial(
            "prometheus::a_server_scrapes_it_and_answers",
            "prometheus",
            prometheus::scrape,
        ),
        trial("unkai::the_tool_reads_the_profile", "cargo", unkai),
    ];
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}

/// A test that needs `tool`. Ignored, with a word on why, where it is missing.
fn trial(name: &str, tool: &'static str, run: impl FnOnce() -> Result + Send + 'static) -> Trial {
    let arguments = match tool {
        "go" => ["version"],
        _ => ["--version"],
    };
    let quiet = Stdio::null;
    let mut command = Command::new(tool);
    command
        .args(arguments)
        .stdin(quiet())
        .stdout(quiet())
        .stderr(quiet());
    let is_missing = !command.status().is_ok_and(|status| status.success());
    if is_missing {
        eprintln!("skipped: {name}: {tool} is not installed; ci/service.sh installs it");
    }
    Trial::test(name, run).with_ignored_flag(is_missing)
}

fn heap() -> Result {
    let service = Service::started()?;
    let top = pprof(&["-top", "-inuse_space"], service.address, "heap")?;
    has(&top, "Type: inuse_space")?;
    has(&top, "service::store::index")?;
    let by_default = pprof(&["-top"], service.address, "heap")?;
    has(&by_default, "Type: inuse_space")
}

fn delta() -> Result {
    let service = Service::started()?;
    // In both ways in which people ask.
    let top = pprof(
        &["-top", "-seconds=5", "-sample_index=alloc_space"],
        service.address,
        "heap",
    )?;
    has(&top, "Type: alloc_space")?;
    has(&top, "service::load::work")?;
    has(&top, "Duration: 5")?;
    let top = pprof(&["-top"], service.address, "allocs?seconds=5")?;
    has(&top, "Type: alloc_space")?;
    has(&top, "service::load::work")?;
    // Not the totals since the start: a window has no peak.
    let error = pprof(
        &["-top", "-sample_index=peak_space"],
        service.address,
        "heap?seconds=1",
    );
    match error {
        Err(_) => Ok(()),
        Ok(said) => Err(format!("a window has no peak: {said}").into()),
    }
}

fn allocs() -> Result {
    let service = Service::started()?;
    let top = pprof(&["-top"], service.address, "allocs")?;
    has(&top, "Type: alloc_space")?;
    has(&top, "service::load::work")?;
    let top = pprof(&["-top", "-seconds=5"], service.address, "allocs")?;
    has(&top, "Duration: 5")
}

fn without_names() -> Result {
    let service = Service::started()?;
    // It asks for names when it has none, at a path of its own, and gives up if that is not there.
    let top = pprof(&["-top"], service.address, "heap?names=none")?;
    has(&top, "Type: inuse_space")?;
    // Under whatever names it finds by itself, if any.
    has(&top, "Showing nodes accounting for")
}

fn refusal() -> Result {
    let service = Service::started()?;
    match pprof(&["-top"], service.address, "heap?seconds=301") {
        Ok(said) => Err(format!("that was too long: {said}").into()),
        Err(error) => has(error.message().unwrap_or_default(), "from 1 to 300"),
    }
}

fn unkai() -> Result {
    let service = Service::started()?;
    let answer = client::get(service.address, "/debug/unkai/heap.json?names=all");
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("now.heap.json");
    fs::write(&file, &answer.body)?;
    let mut unkai = Command::new(env!("CARGO"));
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    unkai.args([
        "run",
        "--quiet",
        "--manifest-path",
        manifest,
        "-p",
        "unkai-cli",
        "--",
        "top",
    ]);
    has(&output(unkai.arg(&file))?, "store::index")
}

/// What `go tool pprof` says of a path of the service.
fn pprof(arguments: &[&str], service: SocketAddr, path: &str) -> Result<String> {
    // It keeps what it fetches in a folder of the user's.
    let kept = tempfile::tempdir()?;
    let mut go = Command::new("go");
    go.args(["tool", "pprof"]).args(arguments);
    go.arg(format!("http://{service}/debug/pprof/{path}"));
    output(go.env("PPROF_TMPDIR", kept.path()))
}

/// What `command` prints. An error if it fails, with all that it printed.
fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{command:?}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {}\n{text}\n{errors}", output.status).into())
}

fn has(text: &str, wanted: &str) -> Result {
    match text.contains(wanted) {
        true => Ok(()),
        false => Err(format!("{wanted:?} is not in\n{text}").into()),
    }
}

/// The workspace.
fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

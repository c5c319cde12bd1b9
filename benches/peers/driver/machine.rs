//! Where, when and with what was measured.

use std::fs;
use std::io::{self, Write};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use unkai_peers::cores::allowed;

use crate::options::Options;
use crate::subjects::version;

/// Prints the head of the report.
pub(crate) fn describe(options: &Options, out: &mut impl Write) -> io::Result<()> {
    const UNKNOWN: &str = "unknown";
    let model = processor().unwrap_or_else(|| UNKNOWN.to_owned());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let compiler = said_by("rustc", &["--version"]).unwrap_or_else(|| UNKNOWN.to_owned());
    let tree = ["-C", env!("CARGO_MANIFEST_DIR")];
    let commit = said_by(
        "git",
        &[&tree[..], &["describe", "--always", "--dirty"]].concat(),
    );
    writeln!(out, "unkai and its peers\n")?;
    let mut line = |name: &str, value: &str| writeln!(out, "- {name}: {value}");
    line(
        "machine",
        &format!(
            "{model}, {} cores, Linux {}",
            allowed().len(),
            kernel.trim()
        ),
    )?;
    line("date", &date())?;
    line("compiler", &format!("{compiler}, {}", options.build))?;
    line(
        "rounds",
        &format!(
            "{} in {} starts, slices of {} ms",
            options.rounds,
            options.starts,
            options.slice.as_millis()
        ),
    )?;
    line(
        "unkai",
        &format!("at commit {}", commit.as_deref().unwrap_or(UNKNOWN)),
    )?;
    line("crates", &versions())
}

fn processor() -> Option<String> {
    let description = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = description
        .lines()
        .find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn versions() -> String {
    const PACKAGES: [&str; 19] = [
        "unkai",
        "dial9",
        "pprof-alloc",
        "libdd-profiling-heap-allocator",
        "mimalloc-pprof",
        "re_memory",
        "stats_alloc",
        "cap",
        "tracking-allocator",
        "dhat",
        "mimalloc",
        "libmimalloc-sys",
        "tikv-jemallocator",
        "tikv-jemalloc-sys",
        "serde_json",
        "syn",
        "regex",
        "tokio",
        "framehop",
    ];
    let mut versions: Vec<String> = PACKAGES
        .iter()
        .filter_map(|package| {
            // Without what was built from which commit.
            let version = version(package)?.split('+').next()?;
            Some(format!("{package} {version}"))
        })
        .collect();
    for (tool, arguments) in [("heaptrack", "--version"), ("valgrind", "--version")] {
        versions.extend(said_by(tool, &[arguments]));
    }
    versions.join(", ")
}

/// What a program prints, if it can be run.
fn said_by(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}

/// Now, in UTC.
fn date() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = now.map_or(0, |now| now.as_secs());
    let (days, minutes) = (seconds / 86_400, seconds % 86_400 / 60);
    // Years begin in March here, so that the leap day is the last one.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let march = (5 * day + 2) / 153;
    let (day, month) = (
        day - (153 * march + 2) / 5 + 1,
        if march < 10 { march + 3 } else { march - 9 },
    );
    let year = era * 400 + year + u64::from(month <= 2);
    format!(
        "{year}-{month:02}-{day:02} {:02}:{:02} UTC",
        minutes / 60,
        minutes % 60
    )
}

//! A program that is killed for a leak leaves a whole profile behind, which names the leak.
//!
//! Cargo builds the example for `cargo test`, not for `cargo test --test near_oom`: run `cargo build --examples` before that.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use unkai::report::{json, offline};

#[test]
fn killed_by_the_kernel_in_a_control_group() {
    if !can_make_groups() {
        println!("left out: this process may not make control groups");
        return;
    }
    check("control-group", "killed by the kernel (signal 9, SIGKILL)");
}

/// Whether the system lets this process make a control group that limits memory.
fn can_make_groups() -> bool {
    let version_2 = Path::new("/sys/fs/cgroup");
    let known = fs::read_to_string(version_2.join("cgroup.subtree_control"));
    let with_memory = known.is_ok_and(|known| known.split_whitespace().any(|it| it == "memory"));
    let parents = [
        Some(Path::new("/sys/fs/cgroup/memory")),
        with_memory.then_some(version_2),
    ];
    parents.into_iter().flatten().any(|parent| {
        let group = parent.join(format!("unkai-test-{}", std::process::id()));
        fs::create_dir(&group).is_ok() && fs::remove_dir(&group).is_ok()
    })
}

#[test]
fn aborted_for_lack_of_address_space() {
    check(
        "address-space",
        "aborted by itself (signal 6, SIGABRT): memory allocation of ",
    );
}

fn check(place: &str, end: &str) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("near_oom-{place}"));
    // What an earlier run has left.
    drop(fs::remove_dir_all(&folder));
    let test = std::env::current_exe().unwrap();
    let built = test.parent().and_then(Path::parent).unwrap();
    let mut program = Command::new(built.join("examples/near_oom"));
    program.args(["--in", place, "--reports"]).arg(&folder);
    let output = program
        .output()
        .expect("`cargo build --examples` builds it");
    let text = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{said}");
    assert!(text.contains(end), "{text}");
    assert!(text.contains("::remember"), "{text}");

    // One whole dump, and nothing half-written.
    let files: Vec<_> = fs::read_dir(&folder).unwrap().collect();
    let [Ok(dump)] = &files[..] else {
        panic!("{files:?}");
    };
    let report = json::read(File::open(dump.path()).unwrap()).unwrap();
    let (report, _) = offline::name(report, &offline::Options::new());
    let snapshot = report.snapshot();
    let sites = snapshot.sites.iter();
    let largest = sites.max_by(|a, b| a.live.bytes.total_cmp(&b.live.bytes));
    let largest = largest.expect("there are samples");
    let frames = report.call_stack(largest);
    let is_leak = |name: &str| name.contains("near_oom") && name.ends_with("remember");
    assert!(
        frames.iter().any(|frame| is_leak(&frame.name())),
        "{frames:#?}"
    );
    let live = snapshot.totals.live_bytes() as f64;
    assert!(
        live > 64e6 && largest.live.bytes > live / 2.0,
        "{largest:?} of {live}"
    );
}

//! Real limits, in processes of their own: a control group's, and `RLIMIT_AS`.
#![cfg(target_os = "linux")]

#[path = "support/watched.rs"]
mod support;

use std::alloc::System;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::mpsc::channel;
use std::time::Duration;
use std::{env, fs, process};

use support::eventually;
use unkai_core::Config;
use unkai_global::UnkaiGlobalAlloc;
use unkai_watch::{Quantity, Rule, Watcher};

#[global_allocator]
static HEAP: UnkaiGlobalAlloc<System> = UnkaiGlobalAlloc::with_config(System, Config::new());

/// Set in the processes that these tests start.
const CHILD: &str = "UNKAI_TEST_CHILD";

/// Grows until half of its limit is taken, and says what the rule says. It looks at the start only and once an hour: what
/// wakes it is the alarm.
fn grow_to_half_of_the_limit() {
    let (tell, told) = channel();
    let half = Rule::new("half", Quantity::ShareOfLimit.rises_to(0.5));
    let watching = Watcher::new()
        .every(Duration::from_secs(3600))
        .rule(half.call(move |event| _ = tell.send(event.to_string())))
        .start()
        .expect("it starts");
    eventually("the first look", || watching.status().ticks > 0);
    let mut blocks = Vec::new();
    let event = loop {
        blocks.push(black_box(vec![1_u8; 1 << 20]));
        if let Ok(event) = told.try_recv() {
            break event;
        }
    };
    // On a line of its own: where tests run one by one, the name of this one stands before.
    println!(
        "\n{event}\nheld {} MiB\n{}",
        blocks.len(),
        watching.status()
    );
    watching.stop();
}

/// Runs the test `name` in a process of its own, after the shell has done `first`.
fn child(name: &str, first: &str) -> Output {
    let shell = format!("{first} && exec \"$0\" --exact {name} --nocapture");
    Command::new("sh")
        .args(["-c", &shell])
        .arg(env::current_exe().expect("this test"))
        .env(CHILD, "1")
        .output()
        .expect("a shell")
}

/// The line that says that the rule has fired.
fn fired(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}", output.status);
    let line = text.lines().find(|line| line.starts_with("half: "));
    line.expect("the rule has fired").to_owned()
}

#[test]
fn the_limit_of_the_address_space_is_seen_coming() {
    if env::var_os(CHILD).is_some() {
        return grow_to_half_of_the_limit();
    }
    let name = "the_limit_of_the_address_space_is_seen_coming";
    let line = fired(&child(name, "ulimit -v 1048576"));
    assert!(line.contains("of 1.00 GiB of the address space"), "{line}");
}

/// A control group, removed in the end.
struct Group(PathBuf);

impl Group {
    /// With a limit of 256 MiB. `None` if this process may not make one.
    fn new() -> Option<Self> {
        let name = format!("unkai-watch-test-{}", process::id());
        let trees = [
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            ("/sys/fs/cgroup", "memory.max"),
        ];
        trees.into_iter().find_map(|(tree, limit)| {
            let group = Self(Path::new(tree).join(&name));
            fs::create_dir(&group.0).ok()?;
            fs::write(group.0.join(limit), "268435456").ok()?;
            Some(group)
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The kernel may take a moment after the last process.
        for _ in 0..1000 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
}

#[test]
fn the_limit_of_the_control_group_is_seen_coming() {
    if env::var_os(CHILD).is_some() {
        return grow_to_half_of_the_limit();
    }
    let Some(group) = Group::new() else {
        eprintln!("skipped: this process may not make control groups");
        return;
    };
    let name = "the_limit_of_the_control_group_is_seen_coming";
    let enter = format!("echo $$ > '{}'", group.0.join("cgroup.procs").display());
    let line = fired(&child(name, &enter));
    assert!(line.contains("of 256 MiB of the control group"), "{line}");
}

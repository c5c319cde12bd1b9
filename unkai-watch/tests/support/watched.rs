//! What whole-process tests share. A process has one watcher: one test at a time.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use unkai_watch::{RuleStatus, Watching};

static ALONE: Mutex<()> = Mutex::new(());

/// The right to be the only test that runs.
pub fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `check` until it holds, for half a minute at most.
pub fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let start = Instant::now();
    while !check() {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "{what}: not within 30 s"
        );
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

/// How the rule `name` is doing.
pub fn rule(watching: &Watching, name: &str) -> RuleStatus {
    let rules = watching.status().rules;
    rules
        .into_iter()
        .find(|rule| rule.name == name)
        .expect("the rule is there")
}

/// The names of the process's threads, as Linux keeps them: 15 bytes.
pub fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux says");
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .map(|name| name.trim_end().to_owned())
        .collect()
}

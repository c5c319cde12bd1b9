//! What this process has open and runs, as Linux says; and waiting with a limit.

#![allow(dead_code, reason = "each test uses some of it")]

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// The names of all threads.
pub(crate) fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux says");
    // One that ends meanwhile has no name.
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.map(|name| name.trim().to_owned()).collect()
}

/// How many threads have this name.
pub(crate) fn threads_called(name: &str) -> usize {
    threads().iter().filter(|thread| *thread == name).count()
}

/// How many files and sockets are open.
pub(crate) fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").expect("Linux says").count()
}

/// Physical memory of this process, in bytes.
pub(crate) fn resident_bytes() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").expect("Linux says");
    let pages: u64 = text
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .expect("pages");
    pages * 4096
}

/// Until `condition` holds. Panics after half a minute.
pub(crate) fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(30), "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

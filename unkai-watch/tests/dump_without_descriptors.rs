//! A dump is written where the process has no descriptor left for another file.
#![cfg(target_os = "linux")]

use std::alloc::System;
use std::fs::File;

use unkai_global::{Config, UnkaiGlobalAlloc};
use unkai_watch::Dump;

#[global_allocator]
static HEAP: UnkaiGlobalAlloc<System> = UnkaiGlobalAlloc::with_config(System, Config::new());

#[test]
fn a_descriptor_is_kept_in_reserve() {
    let folder = tempfile::tempdir().expect("there is room");
    let mut dump = Dump::to(folder.path()).expect("it is a directory");
    let limit = libc::rlimit {
        rlim_cur: 64,
        rlim_max: 64,
    };
    // SAFETY: reads nothing but `limit`.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
    let mut files = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    for _ in 0..3 {
        dump.write("no-descriptors").expect("one is in reserve");
    }
    drop(files);
    let last = dump.last().expect("it was written");
    let report = unkai_report::json::read(File::open(last).expect("it is there"));
    assert!(
        report
            .expect("it is whole")
            .snapshot()
            .totals
            .allocated
            .blocks
            > 0
    );
}

//! Whatever stands in the files that the system says its limits in, a limit is found or not, and never one of nothing;
//! lines of `/proc/self/maps` are modules or passed over; and of its memory a process knows what stands in the first line or
//! word for it, or nothing.
//!
//! The input is the files, one after the other, with a byte between them that UTF-8 has not.

#![no_main]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use unkai_core::internals::resident_pages;
use unkai_fuzz::text::does_not_act;
use unkai_report::internals::{anonymous_bytes, modules};
use unkai_watch::internals::limit_below;

const FILES: [&str; 11] = [
    "proc/self/cgroup",
    "proc/self/mountinfo",
    "proc/self/limits",
    "proc/meminfo",
    "proc/self/statm",
    "sys/fs/cgroup/memory.max",
    "sys/fs/cgroup/memory.current",
    "sys/fs/cgroup/memory.stat",
    "sys/fs/cgroup/a/memory.limit_in_bytes",
    "sys/fs/cgroup/a/memory.usage_in_bytes",
    "sys/fs/cgroup/a/memory.stat",
];

/// In memory where the system has such a folder: it is written a thousand times a second.
static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    };
    let root = folder.join(format!("unkai-fuzz-{}", std::process::id()));
    for file in FILES {
        fs::create_dir_all(root.join(file).parent().expect("it is below")).expect("a folder");
    }
    unkai_fuzz::at_exit_remove(&root);
    root
});

fuzz_target!(|input: &[u8]| {
    let mut texts = input.split(|&byte| byte == 0xff);
    for file in FILES {
        fs::write(ROOT.join(file), texts.next().unwrap_or_default()).expect("a file");
    }
    let (limit, notes) = limit_below(&ROOT);
    assert!(notes.len() <= 8);
    if let Some(limit) = limit {
        assert!(limit.bytes > 0 && limit.share() >= 0.0 && limit.share().is_finite());
        assert!(!limit.to_string().is_empty());
    }
    let maps = String::from_utf8_lossy(input);
    let modules = modules(&maps);
    assert!(modules.list().len() <= maps.lines().count());
    for module in modules.list() {
        does_not_act("a module's path", &module.path);
        let holds = module.start < module.end;
        assert_eq!(
            modules.of(module.start).is_some(),
            holds
                || modules
                    .list()
                    .iter()
                    .any(|other| { (other.start..other.end).contains(&module.start) })
        );
    }
    for text in input.split(|&byte| byte == 0xff) {
        memory_is_as_it_stands_there(text);
    }
    memory_is_as_it_stands_there(input);
});

fn memory_is_as_it_stands_there(bytes: &[u8]) {
    // What is no text is no number either.
    let text = String::from_utf8_lossy(bytes);
    let number = |text: &str| text.parse::<u64>().ok();
    let word = text.split(|c: char| c.is_ascii_whitespace()).nth(1);
    assert_eq!(resident_pages(bytes), word.and_then(number));
    let lines = format!("\n{text}");
    let (_, behind) = lines.split_once("\nRssAnon:").unwrap_or_default();
    let line = behind.split('\n').next().unwrap_or_default();
    let kib = line
        .trim_matches(|c: char| c.is_ascii_whitespace())
        .strip_suffix(" kB");
    let expected = kib.and_then(number).and_then(|kib| kib.checked_mul(1024));
    assert_eq!(anonymous_bytes(bytes), expected);
}

//! Any file is a program with names or refused: its build id is read, and the addresses of a report are looked up in it.

#![no_main]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::SystemTime;

use libfuzzer_sys::fuzz_target;
use unkai_core::{Site, Snapshot};
use unkai_fuzz::text::does_not_act;
use unkai_report::internals::build_id;
use unkai_report::{Module, Report, offline};

static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    };
    let file = folder.join(format!("unkai-fuzz-{}", std::process::id()));
    unkai_fuzz::at_exit_remove(&file);
    file
});

fuzz_target!(|input: &[u8]| {
    // The end says where it was loaded.
    let Some((file, [offset, step])) = input.split_last_chunk::<2>() else {
        return;
    };
    std::fs::write(&*FILE, file).expect("a file");
    let name = FILE.to_str().expect("it is UTF-8");
    let mut module = Module::new(0x10_0000, 0x20_0000, u64::from(*offset) << 8, name);
    module.build_id = build_id(&FILE);
    let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
    let step = 1 + u64::from(*step);
    let stack: Vec<u64> = (0..48).map(|number| 0x10_0000 + number * step).collect();
    let stacks = stack.len() as u64;
    snapshot.sites.push(Site::new(2, stack));
    let report = Report::from_parts(snapshot, Default::default())
        .with_modules([module].into_iter().collect());
    let options = offline::Options::new().file(&*FILE).search(false);
    let (report, outcome) = offline::name(report, &options);
    assert_eq!(outcome.addresses, stacks);
    assert!(outcome.named <= stacks);
    for line in outcome.to_string().lines() {
        does_not_act("an outcome", line);
    }
    for function in report.symbols().functions() {
        does_not_act("a name", function.name());
        does_not_act("a short name", function.short_name());
        does_not_act("a file", function.file().unwrap_or_default());
    }
});

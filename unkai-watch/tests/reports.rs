//! A directory of reports keeps what it promises, whatever is wrong with the directory or the disk.

mod trouble;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::SystemTime;

use unkai_core::{Site, Snapshot};
use unkai_report::{Report, json};
use unkai_watch::{Format, ReportError, Reports};

/// A report of which each format takes about 300 bytes for each of `sites`.
fn report(sites: u32) -> Report {
    let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
    let site = |id| Site::new(id, vec![u64::from(id) << 4]);
    snapshot.sites.extend((2..2 + sites).map(site));
    Report::without_names(snapshot)
}

/// The visible and hidden files of `dir` with their bytes, sorted by name.
fn files(dir: &Path) -> Vec<(String, u64)> {
    let entries = fs::read_dir(dir).expect("it is there");
    let mut files: Vec<_> = entries
        .filter_map(|entry| {
            let entry = entry.expect("it can be listed");
            let name = entry.file_name().into_string().expect("ours are ASCII");
            Some((name, entry.metadata().ok()?.len()))
        })
        .collect();
    files.sort();
    files
}

fn names(dir: &Path) -> Vec<String> {
    files(dir).into_iter().map(|(name, _)| name).collect()
}

fn sum(files: &[(String, u64)]) -> u64 {
    files.iter().map(|(_, bytes)| bytes).sum()
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().expect("a file has a name");
    name.to_str().expect("ours are ASCII").to_owned()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("there is room")
}

#[test]
fn a_report_is_whole_and_named_by_time_process_and_rule() {
    let folder = folder();
    for &format in Format::ALL {
        let reports = Reports::in_dir(folder.path()).format(format).keep(99);
        let path = reports
            .write("live above 2 GiB", &report(3))
            .expect("there is room");
        let name = name_of(&path);
        let (process, extension) = (std::process::id(), format.extension());
        let end = format!("Z-{process}-live_above_2_GiB.{extension}");
        assert!(
            name.starts_with("unkai-2") && name.ends_with(&end),
            "{name}"
        );
        let mut expected = Vec::new();
        format
            .write(&report(3), &mut expected)
            .expect("a Vec takes it");
        assert_eq!(fs::read(&path).expect("it is there"), expected);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = path.metadata().expect("it is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
    assert_eq!(names(folder.path()).len(), Format::ALL.len());
}

#[test]
fn the_newest_are_kept_and_files_of_others_are_not_touched() {
    let folder = folder();
    let others = [
        "notes.txt",
        "unkai-notes.html",
        "unkai-dump-20200101T000000.000Z-1-oom.json",
        ".unkai-dump-20200101T000000.000Z-1-oom.json.tmp",
        "zz-unkai-20200101T000000.000Z-1-old.html",
    ];
    for other in others {
        fs::write(folder.path().join(other), "x").expect("there is room");
    }
    // Of a process from before: an old report, and one that it did not finish.
    let old = folder.path().join("unkai-20200101T000000.000Z-1-old.html");
    let unfinished = folder
        .path()
        .join(".unkai-20200102T000000.000Z-1-cut.html.tmp");
    fs::write(&old, "x").expect("there is room");
    fs::write(&unfinished, "x").expect("there is room");

    let reports = Reports::in_dir(folder.path()).format(Format::Text).keep(3);
    let mut written: Vec<PathBuf> = Vec::new();
    for count in 1..=5 {
        written.push(reports.write("test", &report(1)).expect("there is room"));
        assert!(!unfinished.exists());
        assert_eq!(old.exists(), count <= 2);
        let mut expected: Vec<String> = others.iter().map(ToString::to_string).collect();
        expected.extend(written.iter().rev().take(3).map(|path| name_of(path)));
        expected.extend(old.exists().then(|| name_of(&old)));
        expected.sort();
        assert_eq!(names(folder.path()), expected);
    }
}

#[test]
fn all_reports_together_stay_within_their_bytes_at_any_moment() {
    let folder = folder();
    let reports = Reports::in_dir(folder.path())
        .format(Format::Json)
        .keep(100);
    let first = reports
        .write("first", &report(2_000))
        .expect("there is room");
    let one = first.metadata().expect("it is there").len();
    let most = one * 5 / 2;
    let reports = reports.max_bytes(most);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let looks = scope.spawn(|| {
            let mut looks = 0_u64;
            while !stop.load(Relaxed) {
                // What changes while it is looked at may be counted twice, or with what has gone.
                let (before, after) = (files(folder.path()), files(folder.path()));
                if before == after {
                    assert!(sum(&before) <= most, "{before:?}");
                    looks += 1;
                }
            }
            looks
        });
        // Threads share the directory.
        let writers: Vec<_> = ["a", "b"]
            .into_iter()
            .map(|name| {
                let reports = &reports;
                scope.spawn(move || {
                    for _ in 0..10 {
                        reports.write(name, &report(2_000)).expect("there is room");
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().expect("it does not panic");
        }
        stop.store(true, Relaxed);
        assert!(looks.join().expect("never more than the budget") > 20);
    });
    let kept = files(folder.path());
    assert_eq!(kept.len(), 2, "two and a half fit: {kept:?}");
    assert!(!first.exists());
}

#[test]
fn a_report_that_is_larger_than_all_may_be_is_refused_and_the_others_stay() {
    let folder = folder();
    let reports = Reports::in_dir(folder.path())
        .format(Format::Json)
        .max_bytes(100_000);
    let kept = reports.write("small", &report(10)).expect("there is room");
    let before = files(folder.path());
    let error = reports
        .write("large", &report(2_000))
        .expect_err("there is no room");
    let ReportError::OverBudget {
        bytes, max_bytes, ..
    } = &error
    else {
        panic!("{error:?}");
    };
    let mut all = Vec::new();
    Format::Json
        .write(&report(2_000), &mut all)
        .expect("a Vec takes it");
    assert_eq!((*bytes, *max_bytes), (all.len() as u64, 100_000));
    let text = error.to_string();
    assert!(
        text.contains("-large.json would take") && text.contains("raise max_bytes"),
        "{text}"
    );
    assert_eq!(files(folder.path()), before);
    json::read(fs::File::open(kept).expect("it stays")).expect("it is whole");
}

#[test]
fn a_directory_that_is_none_is_an_error_that_names_it() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "x").expect("there is room");
    for dir in [
        file,
        folder.path().join("missing"),
        PathBuf::from("/no\0where"),
    ] {
        let reports = Reports::in_dir(&dir);
        for error in [
            reports
                .write("test", &report(1))
                .expect_err("it is no directory"),
            reports.check().expect_err("it is no directory"),
        ] {
            assert!(matches!(error, ReportError::Directory { .. }), "{error:?}");
            assert!(
                error.to_string().contains(&dir.display().to_string()),
                "{error}"
            );
        }
    }
}

#[test]
fn a_directory_that_is_removed_and_made_again_is_used_again() {
    let folder = folder();
    let dir = folder.path().join("reports");
    let reports = Reports::in_dir(&dir);
    fs::create_dir(&dir).expect("there is room");
    reports.check().expect("it is there");
    assert!(files(&dir).is_empty());
    reports.write("test", &report(1)).expect("there is room");
    fs::remove_dir_all(&dir).expect("it is there");
    reports.write("test", &report(1)).expect_err("it is gone");
    fs::create_dir(&dir).expect("there is room");
    reports.write("test", &report(1)).expect("there is room");
}

//! Disks that are full or may not be written to, and links that somebody has planted.
#![cfg(target_os = "linux")]

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use unkai_watch::{Dump, DumpError, Format, ReportError, Reports};

use crate::{files, folder, names, report};

/// A small disk of its own at some directory, as long as this lives.
struct Disk(tempfile::TempDir);

impl Disk {
    /// `None`, with a word, if this process may not mount one.
    fn of_bytes(bytes: u64) -> Option<Self> {
        let folder = folder();
        let size = format!("size={bytes}");
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &size, "none"])
            .arg(folder.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        if !mounted {
            println!("left out: this process may not mount a disk");
        }
        mounted.then_some(Self(folder))
    }

    fn make_read_only(&self) {
        let mut mount = Command::new("mount");
        mount.args(["-o", "remount,ro"]).arg(self.path());
        assert!(mount.status().expect("it has run before").success());
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).status();
    }
}

#[test]
fn a_full_disk_is_told_and_older_reports_stay() {
    let Some(disk) = Disk::of_bytes(256 << 10) else {
        return;
    };
    let reports = Reports::in_dir(disk.path()).format(Format::Json);
    reports.write("small", &report(10)).expect("there is room");
    let before = files(disk.path());
    let error = reports
        .write("large", &report(2_000))
        .expect_err("the disk is full");
    assert!(matches!(error, ReportError::Full { .. }), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains("there was no space for") && text.contains("-large.json"),
        "{text}"
    );
    assert_eq!(files(disk.path()), before);
    reports
        .write("small", &report(10))
        .expect("there is room again");
}

#[test]
fn a_dump_to_a_full_disk_leaves_the_older_ones() {
    let Some(disk) = Disk::of_bytes(16 << 10) else {
        return;
    };
    let mut dump = Dump::to(disk.path()).expect("it is a directory");
    dump.write("first").expect("there is room");
    let before = files(disk.path());
    fs::write(disk.path().join("filler"), [0; 16 << 10]).expect_err("more than there is");
    let error = dump.write("second").expect_err("the disk is full");
    assert!(matches!(error, DumpError::Write { .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .contains(&disk.path().display().to_string()),
        "{error}"
    );
    fs::remove_file(disk.path().join("filler")).expect("it is there");
    assert_eq!(files(disk.path()), before);
    assert_eq!(dump.last(), Some(disk.path().join(&before[0].0)));
}

#[test]
fn a_directory_that_may_not_be_written_to_is_an_error_that_names_it() {
    let Some(disk) = Disk::of_bytes(1 << 20) else {
        return;
    };
    let mut dump = Dump::to(disk.path()).expect("it is a directory");
    disk.make_read_only();
    let reports = Reports::in_dir(disk.path());
    let path = disk.path().display().to_string();
    for error in [
        reports
            .write("test", &report(1))
            .expect_err("it is read-only"),
        reports.check().expect_err("it is read-only"),
    ] {
        assert!(matches!(error, ReportError::Create { .. }), "{error:?}");
        assert!(error.to_string().contains(&path), "{error}");
    }
    let error = dump.write("test").expect_err("it is read-only");
    assert!(matches!(error, DumpError::Create { .. }), "{error:?}");
    assert!(error.to_string().contains(&path), "{error}");
}

/// The system kills a process that writes beyond this limit, unless nobody tries.
#[test]
fn the_limit_of_a_process_for_the_size_of_a_file_is_an_error_and_not_its_end() {
    if env::var_os(CHILD).is_some() {
        return below_the_limit();
    }
    let test = env::current_exe().expect("Linux says");
    let name = "trouble::the_limit_of_a_process_for_the_size_of_a_file_is_an_error_and_not_its_end";
    let output = Command::new("sh")
        // In units of 512 bytes or, with some shells, 1024.
        .args(["-c", "ulimit -f 2; exec \"$0\" --exact \"$1\" --nocapture"])
        .arg(test)
        .arg(name)
        .env(CHILD, "1")
        .output()
        .expect("there is a shell");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{:?} {text}", output.status);
    assert!(text.contains("1 passed"), "{text}");
}

fn below_the_limit() {
    let folder = folder();
    let reports = Reports::in_dir(folder.path()).format(Format::Json);
    let error = reports
        .write("large", &report(100))
        .expect_err("it is too large");
    assert!(matches!(error, ReportError::Full { .. }), "{error:?}");
    let mut dump = Dump::to(folder.path()).expect("it is a directory");
    let error = dump.write("large").expect_err("it is too large");
    assert!(matches!(error, DumpError::Write { .. }), "{error:?}");
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn links_that_look_like_reports_are_removed_and_what_they_lead_to_is_not() {
    let folder = folder();
    let victim = folder.path().join("victim");
    fs::write(&victim, "precious").expect("there is room");
    for link in [
        "unkai-20200101T000000.000Z-1-old.html",
        ".unkai-20200101T000000.000Z-1-old.html.tmp",
        "unkai-dump-20200101T000000.000Z-1-oom.json",
        ".unkai-dump-20200101T000000.000Z-1-oom.json.tmp",
    ] {
        symlink(&victim, folder.path().join(link)).expect("it is new");
    }
    let reports = Reports::in_dir(folder.path()).keep(1);
    reports.write("test", &report(1)).expect("there is room");
    let mut dump = Dump::to(folder.path()).expect("it is a directory").keep(1);
    dump.write("test").expect("there is room");
    assert_eq!(fs::read(&victim).expect("it is there"), b"precious");
    // A hidden link is nobody's dump: it stays.
    let left = names(folder.path());
    assert_eq!(left.len(), 4, "{left:?}");
    assert!(left[0].starts_with(".unkai-dump-2020"), "{left:?}");
}

const CHILD: &str = "UNKAI_TEST_CHILD";

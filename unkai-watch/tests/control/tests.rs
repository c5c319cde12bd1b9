//! What a program under control does, and what it does not.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use unkai_watch::Format;

use crate::program::{ARGUMENT, LEAK_BYTES};
use crate::run::{Ended, Running, files, names_the_leak, program, to_its_end, wait_for_files};

pub(super) const ALL: &[(&str, fn())] = &[
    (
        "without_variables_nothing_happens",
        without_variables_nothing_happens,
    ),
    (
        "off_takes_no_samples_and_totals_stay_exact",
        off_takes_no_samples_and_totals_stay_exact,
    ),
    ("an_interval_is_set", an_interval_is_set),
    (
        "a_report_is_written_at_every_way_to_exit",
        a_report_is_written_at_every_way_to_exit,
    ),
    (
        "a_report_at_exit_has_the_format_of_its_name",
        a_report_at_exit_has_the_format_of_its_name,
    ),
    ("an_abort_leaves_no_report", an_abort_leaves_no_report),
    (
        "a_forked_child_writes_no_report",
        a_forked_child_writes_no_report,
    ),
    (
        "a_forked_child_writes_one_if_it_asks",
        a_forked_child_writes_one_if_it_asks,
    ),
    (
        "a_forked_child_that_asks_has_a_watcher_of_its_own",
        a_forked_child_that_asks_has_a_watcher_of_its_own,
    ),
    (
        "a_report_replaces_a_link_and_is_for_its_owner",
        a_report_replaces_a_link_and_is_for_its_owner,
    ),
    (
        "a_report_that_cannot_be_written_is_one_line",
        a_report_that_cannot_be_written_is_one_line,
    ),
    (
        "a_disk_without_space_is_one_line_and_leaves_nothing",
        a_disk_without_space_is_one_line_and_leaves_nothing,
    ),
    ("each_signal_writes_a_report", each_signal_writes_a_report),
    (
        "a_report_that_cannot_be_written_is_told_and_harms_nothing",
        a_report_that_cannot_be_written_is_told_and_harms_nothing,
    ),
    (
        "the_programs_own_handler_is_still_called",
        the_programs_own_handler_is_still_called,
    ),
    ("a_rule_fires", a_rule_fires),
    (
        "a_program_with_more_rights_than_its_caller_obeys_no_variable",
        a_program_with_more_rights_than_its_caller_obeys_no_variable,
    ),
    (
        "malformed_values_are_told_and_harm_nothing",
        malformed_values_are_told_and_harm_nothing,
    ),
    (
        "what_the_system_refuses_leaves_nothing_applied",
        what_the_system_refuses_leaves_nothing_applied,
    ),
];

fn without_variables_nothing_happens() {
    let ended = to_its_end("return", &[]);
    ended.is_unharmed();
    assert_eq!(ended.said(), "");
    assert_eq!(ended.printed("sampling"), "Bytes { interval: 65536 }");
    assert_eq!(ended.printed("watching"), "false");
    assert!(sampled(&ended) > LEAK_BYTES / 2);
}

fn off_takes_no_samples_and_totals_stay_exact() {
    let ended = to_its_end("return", &[("UNKAI", "off")]);
    ended.is_unharmed();
    assert_eq!(sampled(&ended), 0);
    let ended = to_its_end("return", &[("UNKAI", "on")]);
    assert!(sampled(&ended) > LEAK_BYTES / 2);
}

fn an_interval_is_set() {
    let sampling = |interval| {
        let ended = to_its_end("return", &[("UNKAI_INTERVAL", interval)]);
        ended.is_unharmed();
        ended.printed("sampling")
    };
    assert_eq!(sampling("1MiB"), "Bytes { interval: 1048576 }");
    assert_eq!(sampling("every"), "EveryBlock");
    assert_eq!(sampling("off"), "Off");
}

fn a_report_is_written_at_every_way_to_exit() {
    for (role, code) in [
        ("return", 0),
        ("exit", 3),
        ("exit on a thread", 4),
        ("panic", 101),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("at-exit.json");
        let ended = to_its_end(role, &[("UNKAI_REPORT_AT_EXIT", path.to_str().unwrap())]);
        assert_eq!(
            ended.0.status.code(),
            Some(code),
            "{role}: {}",
            ended.said()
        );
        assert!(!ended.said().contains("unkai:"), "{role}: {}", ended.said());
        assert_eq!(
            files(directory.path()),
            std::slice::from_ref(&path),
            "{role}"
        );
        assert!(names_the_leak(&path), "{role}");
    }
}

fn a_report_at_exit_has_the_format_of_its_name() {
    for &format in Format::ALL {
        let directory = tempfile::tempdir().unwrap();
        let path = directory
            .path()
            .join(format!("%p-%t.{}", format.extension()));
        let ended = to_its_end(
            "return",
            &[("UNKAI_REPORT_AT_EXIT", path.to_str().unwrap())],
        );
        ended.is_unharmed();
        let files = files(directory.path());
        assert_eq!(files.len(), 1, "{files:?}");
        let written = fs::read(&files[0]).unwrap();
        let begins: &[u8] = match format.name() {
            "html" => b"<!doctype html>",
            "json" | "dhat" | "speedscope" => b"{",
            "pprof" => b"\x1f\x8b",
            "svg" => b"<?xml",
            _ => b"",
        };
        let start = String::from_utf8_lossy(&written[..written.len().min(80)]).into_owned();
        assert!(!written.is_empty(), "{format}");
        assert!(
            written.to_ascii_lowercase().starts_with(begins),
            "{format}: {start}"
        );
    }
}

fn an_abort_leaves_no_report() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("at-exit.json");
    let ended = to_its_end("abort", &[("UNKAI_REPORT_AT_EXIT", path.to_str().unwrap())]);
    assert_eq!(ended.0.status.code(), None);
    assert!(files(directory.path()).is_empty());
}

fn a_forked_child_writes_no_report() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("at-exit-%p.json");
    let ended = to_its_end("fork", &[("UNKAI_REPORT_AT_EXIT", path.to_str().unwrap())]);
    ended.is_unharmed();
    let files = files(directory.path());
    assert_eq!(files.len(), 1, "{files:?}");
    let child = directory
        .path()
        .join(format!("at-exit-{}.json", ended.printed("child")));
    assert_ne!(files, [child]);
}

fn a_forked_child_writes_one_if_it_asks() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("at-exit-%p.json");
    let ended = to_its_end(
        "fork with control",
        &[("UNKAI_REPORT_AT_EXIT", path.to_str().unwrap())],
    );
    ended.is_unharmed();
    let files = files(directory.path());
    assert_eq!(files.len(), 2, "{files:?}");
    assert!(files.iter().all(|path| names_the_leak(path)));
}

fn a_forked_child_that_asks_has_a_watcher_of_its_own() {
    let variables = [("UNKAI_RULES", "low: live > 4MiB -> closer(64KiB, 1h)")];
    // The child waits until the rule has fired.
    to_its_end("fork with control", &variables).is_unharmed();
}

fn a_report_replaces_a_link_and_is_for_its_owner() {
    for planted in [
        "nothing",
        "link",
        "dangling link",
        "hard link",
        "pipe",
        "open file",
    ] {
        let directory = tempfile::tempdir().unwrap();
        let [path, victim, nowhere] =
            ["at-exit.json", "victim", "nowhere"].map(|name| directory.path().join(name));
        fs::write(&victim, "precious").unwrap();
        match planted {
            "link" => symlink(&victim, &path).unwrap(),
            "dangling link" => symlink(&nowhere, &path).unwrap(),
            "hard link" => fs::hard_link(&victim, &path).unwrap(),
            "pipe" => {
                let name = CString::new(path.as_os_str().as_bytes()).unwrap();
                // SAFETY: the name ends with a zero.
                assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o666) }, 0);
            }
            "open file" => {
                fs::write(&path, "bait").unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
            }
            _ => {}
        }
        let mut program = program(
            "return",
            &[("UNKAI_REPORT_AT_EXIT", path.to_str().unwrap())],
        );
        // SAFETY: what runs between fork and exec is one system call without memory.
        unsafe { program.pre_exec(hide_nothing) };
        let ended = Ended(program.output().unwrap());
        ended.is_unharmed();
        assert_eq!(
            fs::read_to_string(&victim).unwrap(),
            "precious",
            "{planted}"
        );
        assert!(!nowhere.exists());
        let written = fs::symlink_metadata(&path).unwrap();
        assert!(written.is_file(), "{planted}");
        assert_eq!(
            (written.mode() & 0o777, written.nlink()),
            (0o600, 1),
            "{planted}"
        );
        assert!(names_the_leak(&path), "{planted}");
    }
}

fn hide_nothing() -> io::Result<()> {
    // SAFETY: a system call without pointers.
    unsafe { libc::umask(0) };
    Ok(())
}

fn a_report_that_cannot_be_written_is_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let missing = directory.path().join("missing");
    for (parent, reason) in [
        (missing, "No such file or directory"),
        (file, "Not a directory"),
    ] {
        let path = parent.join("at-exit.html");
        let path = path.to_str().unwrap();
        let ended = to_its_end("return", &[("UNKAI_REPORT_AT_EXIT", path)]);
        ended.is_unharmed();
        let said = ended.said();
        let expected =
            format!("unkai: no report at exit: the report {path} could not be created ({reason} ");
        assert!(said.starts_with(&expected), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

fn a_disk_without_space_is_one_line_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("at-exit.html");
    let mut program = program(
        "return",
        &[("UNKAI_REPORT_AT_EXIT", path.to_str().unwrap())],
    );
    // SAFETY: what runs between fork and exec is one system call that touches no memory but its own.
    unsafe { program.pre_exec(allow_small_files_only) };
    let ended = Ended(program.output().unwrap());
    ended.is_unharmed();
    let expected = format!(
        "unkai: no report at exit: there was no space for the report {} (",
        path.display()
    );
    assert!(ended.said().starts_with(&expected), "{}", ended.said());
    assert_eq!(ended.said().lines().count(), 1);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

fn allow_small_files_only() -> io::Result<()> {
    let limit = libc::rlimit {
        rlim_cur: 10_000,
        rlim_max: 10_000,
    };
    // SAFETY: reads nothing but `limit`.
    match unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn each_signal_writes_a_report() {
    let directory = tempfile::tempdir().unwrap();
    let reports = format!("{},json", directory.path().display());
    let variables = [("UNKAI_REPORTS", &*reports), ("UNKAI_SIGNAL", "SIGUSR2")];
    let running = Running::start("wait", &variables);
    assert!(files(directory.path()).is_empty());
    for count in 1..=2 {
        running.signal(libc::SIGUSR2);
        let files = wait_for_files(directory.path(), count);
        assert_eq!(files.len(), count);
        assert!(files.iter().all(|path| names_the_leak(path)));
    }
    running.end();
}

fn a_report_that_cannot_be_written_is_told_and_harms_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let reports = format!("{},json", directory.path().display());
    let variables = [("UNKAI_REPORTS", &*reports), ("UNKAI_SIGNAL", "USR2")];
    let mut running = Running::start("wait", &variables);
    directory.close().unwrap();
    running.signal(libc::SIGUSR2);
    let told = running.error_line();
    assert!(told.starts_with("unkai: signal: no report: "), "{told}");
    let directory = reports.trim_end_matches(",json");
    assert!(
        told.contains(directory) && told.contains("No such file"),
        "{told}"
    );
    running.end();
}

fn the_programs_own_handler_is_still_called() {
    let directory = tempfile::tempdir().unwrap();
    let reports = format!("{},json", directory.path().display());
    let variables = [("UNKAI_REPORTS", &*reports), ("UNKAI_SIGNAL", "USR1")];
    let mut running = Running::start("own handler", &variables);
    running.signal(libc::SIGUSR1);
    wait_for_files(directory.path(), 1);
    running.tell("handled");
    assert_eq!(running.line(), "handled 1");
    running.end();
}

fn a_rule_fires() {
    let directory = tempfile::tempdir().unwrap();
    let reports = format!("{},json", directory.path().display());
    let rules = "low: live > 4MiB -> report; folded: site > 4MiB -> report(folded); never: live > 1TiB -> report, dump";
    let variables = [("UNKAI_REPORTS", &*reports), ("UNKAI_RULES", rules)];
    let running = Running::start("wait", &variables);
    let files = wait_for_files(directory.path(), 2);
    let ends_in = |end: &str| {
        files
            .iter()
            .filter(|path| path.to_str().unwrap().ends_with(end))
            .count()
    };
    assert_eq!(
        (ends_in(".json"), ends_in(".folded"), files.len()),
        (1, 1, 2),
        "{files:?}"
    );
    running.end();
}

/// As root alone: nobody else can make a program for everybody that runs as somebody else.
fn a_program_with_more_rights_than_its_caller_obeys_no_variable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("at-exit.json");
    let copy = folder.path().join("program");
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    mode(folder.path(), 0o777).unwrap();
    let reports = format!("{},json", folder.path().display());
    let started_by_nobody = || {
        let mut command = Command::new(&copy);
        command.args([ARGUMENT, "return"]);
        command.envs([
            ("UNKAI_REPORT_AT_EXIT", path.to_str().unwrap()),
            ("UNKAI_INTERVAL", "off"),
            ("UNKAI_REPORTS", &*reports),
            ("UNKAI_RULES", "low: live > 1MiB -> report"),
            // Not even a mistake in them is looked at.
            ("UNKAI_NONSENSE", "1"),
        ]);
        command.uid(NOBODY).gid(NOBODY);
        command
    };
    mode(&copy, 0o4755).unwrap();
    let Ok(output) = started_by_nobody().output() else {
        return println!("skipped: only root can try what set-user-ID programs do");
    };
    let ended = Ended(output);
    ended.is_unharmed();
    assert_eq!(ended.said(), "");
    assert_eq!(ended.printed("sampling"), "Bytes { interval: 65536 }");
    assert_eq!(ended.printed("watching"), "false");
    let names: Vec<_> = files(folder.path());
    assert_eq!(names, std::slice::from_ref(&copy));

    // The same program, for the same caller, without more rights.
    mode(&copy, 0o755).unwrap();
    let mut command = started_by_nobody();
    command.env_remove("UNKAI_NONSENSE");
    let ended = Ended(command.output().unwrap());
    ended.is_unharmed();
    assert_eq!(ended.printed("sampling"), "Off");
    assert!(path.is_file());
}

fn malformed_values_are_told_and_harm_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("at-exit.json");
    let variables = [
        ("UNKAI", "off"),
        ("UNKAI_INTERVAL", "fast"),
        ("UNKAI_REPORT_AT_EXIT", path.to_str().unwrap()),
        ("UNKAI_RULES", "live > "),
    ];
    let ended = to_its_end("return", &variables);
    ended.is_unharmed();
    assert_eq!(
        ended.said(),
        "unkai: 2 settings are wrong, so none is applied:
  UNKAI_INTERVAL is `fast`: expected a size such as 512KiB, `every` or `off`
  UNKAI_RULES, column 8: expected a size such as 512MiB, but the text ends
      live >
             ^
"
    );
    // Those that are right are not applied either.
    assert!(sampled(&ended) > LEAK_BYTES / 2);
    assert!(files(directory.path()).is_empty());
}

fn what_the_system_refuses_leaves_nothing_applied() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    let path = directory.path().join("at-exit.json");
    let variables = [
        ("UNKAI", "off"),
        ("UNKAI_REPORT_AT_EXIT", path.to_str().unwrap()),
        ("UNKAI_REPORTS", missing.to_str().unwrap()),
        ("UNKAI_SIGNAL", "USR1"),
    ];
    let ended = Ended(program("return", &variables).output().unwrap());
    ended.is_unharmed();
    let expected = format!(
        "unkai: UNKAI_REPORTS: the directory for reports, {}, could not be opened (No such file or directory (os error 2)): \
         create it, readable and writable for this process\n",
        missing.display()
    );
    assert_eq!(ended.said(), expected);
    assert!(sampled(&ended) > LEAK_BYTES / 2);
    assert!(files(directory.path()).is_empty());
}

fn sampled(ended: &Ended) -> usize {
    ended.printed("sampled").parse().unwrap()
}

const NOBODY: u32 = 65_534;

//! Output files: complete or not there, and never over what was read.

use std::fs;
#[cfg(unix)]
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::tool::Folder;

#[test]
fn the_profile_that_is_read_is_not_replaced() {
    let folder = Folder::with_samples();
    let (before, scopes) = (folder.get("service.json"), folder.get("scopes.json"));
    for arguments in [
        &["convert", "service.json", "-o", "service.json"][..],
        &[
            "convert",
            "service.json",
            "--to",
            "text",
            "-o",
            "./service.json",
        ],
        &["diff", "earlier.json", "service.json", "-o", "service.json"],
        &["diff", "service.json", "earlier.json", "-o", "service.json"],
        &["scopes", "scopes.json", "-o", "scopes.json"],
    ] {
        let run = folder.run(arguments);
        let name = arguments.last().expect("there is one");
        let message = format!(
            "error: {name} is what is read: it is not replaced, name another file with -o\n\nFor more information, \
             try '--help'.\n"
        );
        run.failed(2, &message);
    }
    assert_eq!(folder.get("service.json"), before);
    assert_eq!(folder.get("scopes.json"), scopes);
}

#[test]
fn an_output_that_cannot_be_written_is_named_with_the_reason() {
    let folder = Folder::with_samples();
    fs::create_dir(folder.path("dumps.txt")).expect("the folder can be written");
    for (file, reason) in [
        (
            "nowhere/heap.txt",
            "nowhere/heap.txt: No such file or directory",
        ),
        ("dumps.txt", "dumps.txt: is a directory"),
        (
            "service.json/heap.txt",
            "service.json/heap.txt: Not a directory",
        ),
    ] {
        let run = folder.run(&["convert", "service.json", "-o", file]);
        run.failed(1, &format!("error: {reason}\n"));
    }
}

#[test]
fn what_fails_leaves_the_old_file_and_nothing_beside_it() {
    let folder = Folder::with_samples();
    folder.put("heap.txt", b"of yesterday");
    folder.put("broken.json", b"{");
    let names = folder.names();
    let run = folder.run(&["convert", "broken.json", "-o", "heap.txt"]);
    assert_eq!(run.code, 1, "{}", run.err);
    assert_eq!(folder.get("heap.txt"), "of yesterday");
    assert_eq!(folder.names(), names);
    folder
        .run(&["convert", "service.json", "-o", "heap.txt"])
        .printed();
    assert!(folder.get("heap.txt").starts_with("unkai heap report\n"));
    assert_eq!(folder.names(), names);
}

#[cfg(unix)]
#[test]
fn a_new_file_is_for_its_owner_alone_and_an_old_one_stays_as_open_as_it_was() {
    let folder = Folder::with_samples();
    let mode = |name: &str| {
        let metadata = fs::metadata(folder.path(name)).expect("the file is there");
        metadata.permissions().mode() & 0o777
    };
    folder.put("old.txt", b"");
    fs::set_permissions(folder.path("old.txt"), fs::Permissions::from_mode(0o664))
        .expect("it is ours");
    for name in ["new.txt", "old.txt"] {
        folder
            .run(&["convert", "service.json", "-o", name])
            .printed();
    }
    assert_eq!((mode("new.txt"), mode("old.txt")), (0o600, 0o664));
}

#[cfg(unix)]
#[test]
fn a_link_stays_and_what_it_leads_to_is_replaced() {
    let folder = Folder::with_samples();
    folder.put("report-7.txt", b"");
    symlink("report-7.txt", folder.path("latest.txt")).expect("the folder can be written");
    symlink("service.json", folder.path("profile.json")).expect("the folder can be written");
    folder
        .run(&["convert", "service.json", "-o", "latest.txt"])
        .printed();
    assert!(folder.path("latest.txt").is_symlink());
    assert!(
        folder
            .get("report-7.txt")
            .starts_with("unkai heap report\n")
    );
    let run = folder.run(&["convert", "profile.json", "-o", "service.json"]);
    assert_eq!(run.code, 2, "{}", run.err);
}

#[cfg(target_os = "linux")]
#[test]
fn devices_are_written_to_and_not_replaced() {
    let folder = Folder::with_samples();
    let convert = |to: &str| folder.run(&["convert", "service.json", "--to", "text", "-o", to]);
    convert("/dev/full").failed(1, "error: /dev/full: No space left on device\n");
    convert("/dev/null").printed();
    for device in ["/dev/full", "/dev/null"] {
        assert!(!fs::metadata(device).expect("Linux has it").is_file());
    }
}

/// Who may do everything has no folder that cannot be written: the program then runs as nobody.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_written_is_an_error() {
    use std::os::unix::process::CommandExt;

    use crate::tool::Run;

    let folder = Folder::with_samples();
    let mode = |name: &str, mode| {
        fs::set_permissions(folder.path(name), fs::Permissions::from_mode(mode))
            .expect("it is ours");
    };
    fs::copy(env!("CARGO_BIN_EXE_unkai"), folder.path("unkai")).expect("there is room");
    folder.put("heap.txt", b"of yesterday");
    mode("unkai", 0o755);
    mode("service.json", 0o644);
    mode("heap.txt", 0o444);
    mode(".", 0o555);
    let is_root = fs::write(folder.path("probe"), "").is_ok();
    for output in ["new.txt", "heap.txt"] {
        let mut command = std::process::Command::new(folder.path("unkai"));
        command.args(["convert", "service.json", "-o", output]);
        command.current_dir(folder.path("."));
        if is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        // Another test may start its program while ours is being copied, which then counts as busy until that is done.
        let mut output_of = || loop {
            match command.output() {
                Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {}
                output => return output.expect("it can be run"),
            }
        };
        Run::from(output_of()).failed(1, &format!("error: {output}: Permission denied\n"));
    }
    mode(".", 0o755);
    assert_eq!(folder.get("heap.txt"), "of yesterday");

    const NOBODY: u32 = 65_534;
}

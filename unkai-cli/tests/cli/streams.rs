//! Standard input and output.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use crate::samples;
use crate::tool::{Folder, Run};

#[test]
fn standard_input_is_a_profile_like_any_other() {
    let folder = Folder::with_samples();
    let profile = folder.get("service.json");
    for arguments in [
        &["info"][..],
        &["top"],
        &["report"],
        &["convert", "--to", "folded"],
        &["leaks", "earlier.json"],
        &["diff", "earlier.json"],
    ] {
        let from_file = folder.run(&[arguments, &["service.json"]].concat());
        let piped = folder.run_with(profile.as_bytes(), &[arguments, &["-"]].concat());
        assert_eq!(piped, from_file);
        assert_eq!(piped.code, 0, "{}", piped.err);
    }
    let scopes = folder.get("scopes.json");
    let piped = folder.run_with(scopes.as_bytes(), &["scopes", "-"]);
    assert_eq!(piped, folder.run(&["scopes", "scopes.json"]));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let folder = Folder::new();
    // More than a pipe takes.
    folder.save("many.json", &samples::many_sites(2000));
    let all = folder
        .run(&["convert", "many.json", "--to", "folded"])
        .printed();
    assert!(all.len() > 1_000_000, "{}", all.len());
    let mut command = folder.command(&["convert", "many.json", "--to", "folded"]);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it can be run");
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("it is piped"));
    out.read_line(&mut line).expect("it writes");
    drop(out);
    assert!(all.starts_with(&line) && line.ends_with('\n'));
    let mut err = String::new();
    let mut pipe = child.stderr.take().expect("it is piped");
    pipe.read_to_string(&mut err).expect("it ends");
    let status = child.wait().expect("it ends");
    assert_eq!((status.code(), err.as_str()), (Some(0), ""));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let folder = Folder::with_samples();
    for arguments in [
        &["info", "service.json"][..],
        &["top", "service.json"],
        &["report", "service.json"],
        &["convert", "service.json", "--to", "folded"],
        &["diff", "earlier.json", "service.json"],
        &["leaks", "service.json"],
        &["scopes", "scopes.json"],
    ] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        let mut command = folder.command(arguments);
        let output = command.stdout(full.expect("Linux has it")).output();
        let run = Run::from(output.expect("it can be run"));
        run.failed(1, "error: standard output: No space left on device\n");
    }
}

#[test]
fn nothing_is_said_about_progress_where_nobody_watches() {
    let folder = Folder::new();
    folder.save("many.json", &samples::many_sites(20_000));
    let run = folder.run(&["info", "many.json"]);
    assert_eq!(run.err, "");
}

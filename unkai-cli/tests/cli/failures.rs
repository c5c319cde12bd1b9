//! What goes wrong is told: which file, and why; and the exit code says whose fault it is.

use std::time::Duration;

use unkai_report::{Module, Modules, Report};

use crate::samples;
use crate::tool::Folder;

#[test]
fn a_file_that_cannot_be_read_is_named_with_the_reason() {
    let folder = Folder::with_samples();
    std::fs::create_dir(folder.path("dumps")).expect("the folder can be written");
    folder.put("empty.json", b"");
    folder.put("blank.json", b"  \n");
    folder.put("heap.json.gz", b"\x1f\x8b\x08\0\0\0\0\0");
    folder.put("list.json", b"[1, 2]");
    folder.put("notes.txt", b"Dear diary");
    folder.put("cut.json", &folder.get("service.json").as_bytes()[..1000]);
    let newer = folder
        .get("service.json")
        .replace("\"version\":1,", "\"version\":2,");
    folder.put("newer.json", newer.as_bytes());
    let wrong = folder
        .get("service.json")
        .replacen("\"stack\":[", "\"stack\":[4000000000,", 1);
    folder.put("wrong.json", wrong.as_bytes());
    folder.put("evil\u{1b}[31m\n.json", b"");
    for (file, reason) in [
        ("nowhere.json", "nowhere.json: No such file or directory"),
        ("service.json/", "service.json/: Not a directory"),
        ("dumps", "dumps: is a directory"),
        ("empty.json", "empty.json: it is empty"),
        (
            "blank.json",
            "blank.json: the document is damaged at line 2 column 0: EOF while parsing a value",
        ),
        (
            "heap.json.gz",
            "heap.json.gz: it is compressed by gzip; unkai reads the JSON within: use gunzip first",
        ),
        (
            "list.json",
            "list.json: this JSON document is not an unkai heap profile",
        ),
        (
            "notes.txt",
            "notes.txt: the document is damaged at line 1 column 1: expected value",
        ),
        (
            "cut.json",
            "cut.json: the document is damaged at line 1 column 1000: EOF while parsing an object",
        ),
        (
            "newer.json",
            "newer.json: the document has version 2, but this unkai reads versions up to 1",
        ),
        (
            "wrong.json",
            "wrong.json: the document is damaged at sites[0].stack[0]: no such entry in the table",
        ),
        (
            "scopes.json",
            "scopes.json: this JSON document is not an unkai heap profile, but a scope tree; 'unkai scopes' shows it",
        ),
        (
            "evil\u{1b}[31m\n.json",
            "\"evil\\u{1b}[31m\\n.json\": it is empty",
        ),
        ("-", "standard input: it is empty"),
    ] {
        let message = format!("error: {reason}\n");
        for command in ["info", "top", "report", "leaks"] {
            folder.run(&[command, file]).failed(1, &message);
        }
        folder
            .run(&["convert", file, "--to", "json"])
            .failed(1, &message);
        folder
            .run(&["diff", "service.json", file])
            .failed(1, &message);
    }
}

#[test]
fn a_profile_is_no_tree_of_scopes() {
    let folder = Folder::with_samples();
    folder.run(&["scopes", "service.json"]).failed(
        1,
        "error: service.json: this JSON document is not an unkai scope tree, but a heap profile; 'unkai report' shows \
         it\n",
    );
}

#[test]
fn profiles_that_cannot_be_compared_are_not() {
    let folder = Folder::with_samples();
    let saved = |name: &str, change: &dyn Fn(Report) -> Report| {
        folder.save(name, &change(samples::search_service()));
    };
    let later = |mut snapshot: unkai_core::Snapshot| {
        snapshot.uptime += Duration::from_secs(60);
        snapshot
    };
    saved("stacks.json", &|report| {
        let (mut snapshot, symbols) = report.into_parts();
        snapshot.sites[2].stack.pop();
        Report::from_parts(later(snapshot), symbols)
    });
    saved("less.json", &|report| {
        let (mut snapshot, symbols) = report.into_parts();
        snapshot.totals.allocated.bytes -= 1;
        Report::from_parts(later(snapshot), symbols)
    });
    let with_program = |change: fn(&mut Module)| {
        move |report: Report| {
            let mut modules = report.modules().list().to_vec();
            change(&mut modules[0]);
            report.with_modules(Modules::from_iter(modules))
        }
    };
    saved(
        "path.json",
        &with_program(|program| program.path = "/bin/other".to_owned()),
    );
    saved(
        "build.json",
        &with_program(|program| program.build_id = None),
    );
    saved(
        "moved.json",
        &with_program(|program| program.start += 0x1000),
    );
    folder.save("change.json", &samples::change());
    let other = "it is of another process than service.json";
    for (file, reason) in [
        (
            "earlier.json",
            "it is older than service.json, which comes first: taken 2 h 2 min after the first allocation, the other \
             after 2 h 3 min"
                .to_owned(),
        ),
        ("stacks.json", format!("{other}: the call stack of site 4 is another one")),
        (
            "less.json",
            format!("{other}: less was allocated or freed, though it is the later one"),
        ),
        (
            "path.json",
            format!("{other}: the programs are /bin/other and /usr/local/bin/search"),
        ),
        ("build.json", format!("{other}: /usr/local/bin/search is another build")),
        (
            "moved.json",
            format!("{other}: /usr/local/bin/search was loaded at another address"),
        ),
        (
            "change.json",
            "it is the difference of two profiles; whole profiles are needed here".to_owned(),
        ),
    ] {
        let run = folder.run(&["diff", "service.json", file]);
        run.failed(1, &format!("error: {file}: {reason}\n"));
        if file != "earlier.json" {
            let run = folder.run(&["leaks", "service.json", file]);
            run.failed(1, &format!("error: {file}: {reason}\n"));
        }
    }
}

#[test]
fn contradictions_are_found_before_anything_is_read() {
    let folder = Folder::new();
    for (arguments, message) in [
        (
            &["convert", "nowhere.json"][..],
            "which format? say --to text, html, svg, pprof, dhat, speedscope, folded, prometheus or json, or -o FILE with an ending that tells",
        ),
        (
            &["convert", "nowhere.json", "-o", "-"],
            "which format? say --to text, html, svg, pprof, dhat, speedscope, folded, prometheus or json, or -o FILE with an ending that tells",
        ),
        (
            &["convert", "nowhere.json", "-o", "heap.gif"],
            "the name heap.gif does not tell a format: say --to text, html, svg, pprof, dhat, speedscope, folded, prometheus or json",
        ),
        (
            &["diff", "nowhere.json", "nowhere.json", "-o", "heap"],
            "the name heap does not tell a format: say --to text, html, svg, pprof, dhat, speedscope, folded, prometheus or json",
        ),
        (
            &["convert", "nowhere.json", "--to", "json", "--value", "peak"],
            "the format json shows all values alike: --value is for svg, pprof, speedscope or folded",
        ),
        (
            &["diff", "-", "-"],
            "standard input (\"-\") can be one of the profiles only",
        ),
    ] {
        let message = format!("error: {message}\n\nFor more information, try '--help'.\n");
        folder.run(arguments).failed(2, &message);
    }
}

#[test]
fn a_format_without_changes_says_so() {
    let folder = Folder::with_samples();
    folder.save("change.json", &samples::change());
    let message = "error: the format prometheus cannot show what changed: take text, html, svg, pprof, dhat, \
                   speedscope, folded or json\n\nFor more information, try '--help'.\n";
    for arguments in [
        &["diff", "earlier.json", "service.json", "--to", "prometheus"][..],
        &["convert", "change.json", "--to", "prometheus"],
    ] {
        folder.run(arguments).failed(2, message);
    }
}

#[test]
fn arguments_that_do_not_exist_are_usage_errors() {
    let folder = Folder::with_samples();
    for (arguments, message) in [
        (
            &["frobnicate"][..],
            "error: unrecognized subcommand 'frobnicate'",
        ),
        (
            &["top"],
            "error: the following required arguments were not provided:",
        ),
        (
            &["leaks"],
            "error: the following required arguments were not provided:",
        ),
        (
            &["top", "service.json", "-n", "x"],
            "error: invalid value 'x' for '--number <N>'",
        ),
        (
            &["top", "service.json", "--by", "size"],
            "error: invalid value 'size' for '--by <VALUE>'",
        ),
        (
            &["convert", "service.json", "--to", "gif"],
            "error: invalid value 'gif' for '--to <FORMAT>'",
        ),
        (
            &["report", "service.json", "--min-share", "200"],
            "error: invalid value '200' for '--min-share <PERCENT>': a number from 0 to 100 is expected",
        ),
    ] {
        let run = folder.run(arguments);
        assert_eq!((run.code, run.out.as_str()), (2, ""));
        assert!(run.err.starts_with(message), "{}", run.err);
    }
}

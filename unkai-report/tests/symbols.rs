//! Names from files are the names that the process finds itself.

#![cfg(all(target_os = "linux", feature = "json", feature = "offline"))]

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};
use std::{env, fs};

use unkai_core::{Site, Snapshot};
use unkai_report::offline::{self, Outcome, Reason};
use unkai_report::{Module, Modules, Report, ResolveLimits, json};

/// A frame as the two ways of naming must agree on it.
type Named = (String, Option<String>, Option<u32>, bool);

/// Call stacks of this process, from several depths of real calls, with inlined functions.
fn snapshot() -> Snapshot {
    #[inline(never)]
    fn recurse(depth: u64, stacks: &mut Vec<Vec<u64>>) {
        // Through the standard library, whose code is partly inlined here and partly not.
        let mut numbers: Vec<u64> = (0..depth + 2).rev().collect();
        numbers.sort_by(|a, b| {
            if *a == depth && stacks.len() as u64 <= depth {
                stacks.push(stack());
            }
            a.cmp(b)
        });
        if depth > 0 {
            recurse(depth - 1, stacks);
        }
    }
    let mut stacks = vec![stack()];
    recurse(3, &mut stacks);
    let mut snapshot = Snapshot::empty(SystemTime::now());
    for (id, stack) in (2..).zip(stacks) {
        let mut site = Site::new(id, stack);
        site.live.bytes = 1024.0;
        snapshot.sites.push(site);
    }
    snapshot
}

#[inline(never)]
fn stack() -> Vec<u64> {
    let mut stack = Vec::new();
    backtrace::trace(|frame| {
        // The outermost frame has no caller.
        stack.extend(Some(frame.ip() as u64).filter(|address| *address != 0));
        true
    });
    stack
}

/// What another machine gets: a report without names, through JSON, whose modules are found nowhere by their paths.
fn elsewhere(snapshot: &Snapshot) -> Report {
    let mut document = Vec::new();
    let report = Report::without_names(snapshot.clone());
    json::write(&report, &json::Options::new(), &mut document).expect("a Vec takes it");
    json::read(&document[..]).expect("a document of our own is valid")
}

/// The frames of all stacks that lie in this executable, or of those that lie elsewhere.
fn frames(report: &Report, in_executable: bool) -> Vec<Named> {
    let executable = env::current_exe().expect("Linux says");
    let mut named = Vec::new();
    for site in &report.snapshot().sites {
        for frame in report.call_stack(site) {
            let module = report.modules().of(frame.address);
            let here = module.is_some_and(|module| Path::new(&module.path) == executable);
            if here == in_executable {
                let file = frame.function.and_then(|function| function.file());
                let file = file.map(str::to_owned);
                named.push((frame.name().into_owned(), file, frame.line, frame.inlined));
            }
        }
    }
    named
}

fn only(files: &[&Path]) -> offline::Options {
    let options = offline::Options::new().search(false);
    files
        .iter()
        .fold(options, |options, file| options.file(file))
}

fn in_executable(outcome: &Outcome) -> &offline::ModuleOutcome {
    let executable = env::current_exe().expect("Linux says");
    let this = |module: &&offline::ModuleOutcome| Path::new(&module.path) == executable;
    outcome
        .modules
        .iter()
        .find(this)
        .expect("stacks lead through the executable")
}

#[test]
fn names_from_the_files_are_those_that_the_process_finds() {
    let snapshot = snapshot();
    let in_process = Report::new(snapshot.clone());
    let (named, outcome) = offline::name(elsewhere(&snapshot), &offline::Options::new());
    let frames_here = frames(&in_process, true);
    assert!(frames_here.len() > 30, "{frames_here:#?}");
    let inlined = frames_here.iter().filter(|(.., inlined)| *inlined);
    assert!(
        inlined.count() > 0 || !cfg!(debug_assertions),
        "{frames_here:#?}"
    );
    assert!(
        frames_here
            .iter()
            .any(|(name, ..)| name.ends_with("recurse"))
    );
    assert!(frames_here.iter().all(|(name, ..)| !name.starts_with("0x")));
    assert_eq!(frames(&named, true), frames_here);
    assert_eq!(frames(&named, false), frames(&in_process, false), "libc");
    assert_eq!(
        in_executable(&outcome).named,
        in_executable(&outcome).addresses
    );
    assert!(
        outcome.refused.is_empty() && outcome.in_no_module == 0,
        "{outcome}"
    );
    assert_eq!(named.symbols().cost(), None);
}

#[test]
fn a_stripped_file_fits_but_has_no_names_and_its_separate_debug_information_has_all() {
    let folder = tempfile::tempdir().expect("there is room for a copy");
    let executable = env::current_exe().expect("Linux says");
    let stripped = folder.path().join("stripped");
    let debug = folder.path().join("symbols.debug");
    let stripping = [
        "--strip-all".as_ref(),
        executable.as_os_str(),
        stripped.as_os_str(),
    ];
    let keeping = [
        "--only-keep-debug".as_ref(),
        executable.as_os_str(),
        debug.as_os_str(),
    ];
    if !objcopy(&stripping) || !objcopy(&keeping) {
        return;
    }
    if Modules::of_this_process().list()[0].build_id.is_none() {
        println!("skipped: this executable has no build id");
        return;
    }
    let snapshot = snapshot();
    let whole = frames(&Report::new(snapshot.clone()), true);

    let (named, outcome) = offline::name(elsewhere(&snapshot), &only(&[&stripped]));
    assert!(outcome.refused.is_empty(), "{outcome}");
    assert_eq!(in_executable(&outcome).files, [&*stripped]);
    assert_eq!(in_executable(&outcome).named, 0, "{outcome}");
    assert!(
        outcome.to_string().contains("stripped does not know them"),
        "{outcome}"
    );
    assert!(
        frames(&named, true)
            .iter()
            .all(|(name, ..)| name.starts_with("0x"))
    );

    for files in [&[&*debug][..], &[&*stripped, &*debug][..]] {
        let (named, outcome) = offline::name(elsewhere(&snapshot), &only(files));
        assert!(outcome.refused.is_empty(), "{outcome}");
        assert_eq!(in_executable(&outcome).files[0], debug);
        assert_eq!(frames(&named, true), whole, "{files:?}");
    }

    // The linked file is found beside the stripped one.
    let mut link = OsString::from("--add-gnu-debuglink=");
    link.push(&debug);
    assert!(objcopy(&[&link, stripped.as_os_str()]));
    let options = offline::Options::new().file(&stripped);
    let mut modules: Vec<Module> = elsewhere(&snapshot).modules().list().to_vec();
    modules
        .iter_mut()
        .for_each(|module| module.path = format!("/nowhere{}", module.path));
    let moved = elsewhere(&snapshot).with_modules(Modules::from_iter(modules));
    let (named, outcome) = offline::name(moved, &options);
    assert!(
        outcome
            .modules
            .iter()
            .any(|module| module.files == [&*debug, &*stripped]),
        "{outcome}"
    );
    let recursion = |named: &Report| {
        let sites = named.snapshot().sites.iter();
        let frames = sites.flat_map(|site| named.call_stack(site));
        frames
            .filter(|frame| frame.short_name().ends_with("recurse"))
            .count()
    };
    assert!(recursion(&named) > 0);
    assert_eq!(recursion(&named), recursion(&Report::new(snapshot)));
}

#[test]
fn symbols_without_debug_information_give_names_without_lines() {
    let folder = tempfile::tempdir().expect("there is room for a copy");
    let executable = env::current_exe().expect("Linux says");
    let symbols = folder.path().join(executable.file_name().expect("a file"));
    if !objcopy(&[
        "--strip-debug".as_ref(),
        executable.as_os_str(),
        symbols.as_os_str(),
    ]) {
        return;
    }
    let (named, outcome) = offline::name(elsewhere(&snapshot()), &only(&[&symbols]));
    assert_eq!(in_executable(&outcome).files, [&*symbols]);
    let frames = frames(&named, true);
    assert!(
        frames.iter().any(|(name, ..)| name.ends_with("recurse")),
        "{frames:#?}"
    );
    assert!(
        frames
            .iter()
            .all(|(_, file, line, inlined)| file.is_none() && line.is_none() && !inlined)
    );
}

#[test]
fn a_file_of_another_build_is_refused_and_named() {
    let folder = tempfile::tempdir().expect("there is room for a copy");
    let executable = env::current_exe().expect("Linux says");
    let name = executable.file_name().expect("a file");
    let source = folder.path().join("other.rs");
    let other = folder.path().join(name);
    fs::write(&source, "fn main() {}\n").expect("there is room");
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut build = Command::new(rustc);
    build.arg(&source).arg("-o").arg(&other);
    build.arg("-Clink-arg=-Wl,--build-id");
    if !runs(&mut build) {
        return;
    }
    let no_elf = &source;
    let missing = folder.path().join("missing");
    let files = [&*other, no_elf, &missing, folder.path()];
    let (named, outcome) = offline::name(elsewhere(&snapshot()), &only(&files));
    assert!(named.symbols().is_empty());
    let refused: Vec<(&PathBuf, &Reason)> = outcome
        .refused
        .iter()
        .map(|refused| (&refused.file, &refused.reason))
        .collect();
    let expected = in_executable(&outcome).build_id.clone();
    match refused[..] {
        [
            (
                file,
                Reason::OtherBuild {
                    found: Some(found),
                    expected: wanted,
                },
            ),
            (text, Reason::NotElf),
            (_, Reason::Unreadable(_)),
            (_, Reason::Unreadable(_)),
        ] => {
            assert_eq!((file, text, wanted), (&other, no_elf, &expected));
            assert_ne!(Some(found), expected.as_ref());
        }
        _ => panic!("{refused:#?}"),
    }
    let told = outcome.to_string();
    assert!(
        told.contains("it is another build, with build id "),
        "{told}"
    );
    assert!(
        told.contains("no file with build id ") || expected.is_none(),
        "{told}"
    );
}

#[test]
fn damaged_files_are_refused_or_know_little() {
    let folder = tempfile::tempdir().expect("there is room for a copy");
    let executable = env::current_exe().expect("Linux says");
    let whole = fs::read(&executable).expect("this file can be read");
    let damaged = folder.path().join(executable.file_name().expect("a file"));
    let snapshot = snapshot();
    for cut in [0, 1, 63, 64, 1000, whole.len() / 2, whole.len() - 1] {
        fs::write(&damaged, &whole[..cut]).expect("there is room");
        let (_, outcome) = offline::name(elsewhere(&snapshot), &only(&[&damaged]));
        assert!(outcome.named <= outcome.addresses, "{outcome}");
    }
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..20 {
        let mut bytes = whole.clone();
        for _ in 0..200 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            // The headers at both ends, and anything between.
            let places = [64.min(bytes.len()), bytes.len(), 4096.min(bytes.len())];
            let at = state as usize % places[state as usize % 3];
            let at = if state.is_multiple_of(5) {
                bytes.len() - 1 - at % 4096
            } else {
                at
            };
            if round & 1 == 0 || at > 64 {
                bytes[at] = (state >> 32) as u8;
            }
        }
        fs::write(&damaged, &bytes).expect("there is room");
        let (_, outcome) = offline::name(elsewhere(&snapshot), &only(&[&damaged]));
        assert!(outcome.named <= outcome.addresses, "{outcome}");
    }
}

#[test]
fn what_a_limit_left_out_can_be_named_afterwards() {
    let snapshot = snapshot();
    let limits = ResolveLimits::new().time(Duration::ZERO);
    let report = Report::new_within(snapshot.clone(), &limits);
    assert!(report.symbols().is_empty() && report.symbols().cost().is_some());
    let (report, outcome) = offline::name(report, &offline::Options::new());
    assert_eq!(
        frames(&report, true),
        frames(&Report::new(snapshot), true),
        "{outcome}"
    );
    assert_eq!(report.symbols().cost(), None);
}

fn objcopy(arguments: &[&OsStr]) -> bool {
    runs(Command::new("objcopy").args(arguments))
}

/// Whether `command` is there and succeeds; says that the test is skipped if it is not there.
fn runs(command: &mut Command) -> bool {
    match command.output() {
        Ok(output) => {
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{command:?}: {errors}");
            true
        }
        Err(error) => {
            println!("skipped: {command:?}: {error}");
            false
        }
    }
}

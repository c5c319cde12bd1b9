//! The examples do what they promise, each run as the program that it is.
//!
//! Cargo builds them for `cargo test`, not for `cargo test --test examples`: run `cargo build --examples` before that.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use unkai::report::{Report, json};
use unkai::{Estimate, Site};

#[test]
fn index_files_shows_over_mimalloc_what_holds_the_memory() {
    check_index_files("index_files");
}

#[test]
fn index_files_shows_over_jemalloc_what_holds_the_memory() {
    check_index_files("index_files_jemalloc");
}

#[test]
fn index_files_shows_over_the_system_allocator_what_holds_the_memory() {
    check_index_files("index_files_system");
}

fn check_index_files(example: &str) {
    let folder = Folder::new(example);
    let output = run(example, |command| {
        command
            .args(["--interval", "1K", "--reports"])
            .arg(&folder.0)
    });
    let (json_file, folded_file) = (folder.0.join("heap.json"), folder.0.join("heap.folded"));
    let text = succeeded(&output);
    let report = json::read(fs::File::open(&json_file).unwrap()).unwrap();

    // The right functions are on top, in the right order.
    let by_function = live_by_function(&report);
    let mut ranked: Vec<_> = by_function.iter().collect();
    ranked.sort_by(|a, b| b.1.bytes.total_cmp(&a.1.bytes));
    let top: Vec<&str> = ranked
        .iter()
        .take(3)
        .map(|entry| entry.0.as_str())
        .collect();
    assert_eq!(top[..2], ["add_posting", "add_word"], "{ranked:#?}");

    // The estimate of one function agrees with what the index itself knows.
    let (bytes, blocks) = exact_figures(text, "add_posting holds ");
    let postings = &by_function["add_posting"];
    assert_within_5_errors(postings.bytes, postings.bytes_variance, bytes);
    assert_within_5_errors(postings.blocks, postings.blocks_variance, blocks);

    // All estimates together agree with the exact totals, and these with `usage`.
    let totals = &report.snapshot().totals;
    let mut whole = Estimate::default();
    for site in &report.snapshot().sites {
        add(&mut whole, &site.live);
    }
    assert_within_5_errors(
        whole.bytes,
        whole.bytes_variance,
        totals.live_bytes() as f64,
    );
    assert_within_5_errors(
        whole.blocks,
        whole.blocks_variance,
        totals.live_blocks() as f64,
    );
    let (bytes, _) = exact_figures(text, "the program holds ");
    let apart = (totals.live_bytes() as f64 - bytes).abs();
    assert!(
        apart < 64.0 * 1024.0,
        "usage and snapshot are {apart} bytes apart"
    );

    // The files for viewers are there, and name the function; pprof's is compressed.
    for name in ["heap.html", "live.svg", "heap.folded", "heap.json"] {
        let content = fs::read_to_string(folder.0.join(name)).unwrap();
        assert!(content.contains("add_posting"), "{name}");
    }
    let profile = fs::read(folder.0.join("heap.pb.gz")).unwrap();
    assert_eq!(profile[..2], [0x1f, 0x8b]);

    // Text and folded stacks show the same functions.
    let (_, sites) = text.split_once("Top sites by live bytes").unwrap();
    assert!(sites.contains("::add_posting"), "{text}");
    let folded = fs::read_to_string(&folded_file).unwrap();
    let of_postings = |line: &&str| line.contains("::add_text;") && line.contains("::add_posting;");
    let sum: f64 = folded
        .lines()
        .filter(of_postings)
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
        .sum();
    assert!(
        (sum - postings.bytes).abs() < 10.0,
        "{sum} {postings:?} {folded}"
    );
}

#[test]
fn every_milestone_of_index_files_reports_the_usage() {
    let output = run("index_files", |command| command);
    let milestones = succeeded(&output)
        .lines()
        .filter(|line| line.contains(" live in ") && line.contains(" allocated so far"));
    assert_eq!(milestones.count(), 4);
}

#[test]
fn an_index_that_is_built_anew_holds_no_more_than_the_first_one() {
    let live = |times: &str| {
        let output = run("index_files", |command| command.args(["--repeat", times]));
        exact_figures(succeeded(&output), "the program holds ")
    };
    let (once, thrice) = (live("1"), live("3"));
    assert!(
        (thrice.0 / once.0 - 1.0).abs() < 0.05,
        "{once:?} {thrice:?}"
    );
    assert!(
        (thrice.1 / once.1 - 1.0).abs() < 0.05,
        "{once:?} {thrice:?}"
    );
}

#[test]
fn a_command_line_that_makes_no_sense_exits_with_2_and_says_why() {
    let nowhere = Folder::new("nowhere").0.join("no-such-folder");
    let nowhere = nowhere.to_str().unwrap();
    for (arguments, reason) in [
        (&["--what"][..], "there is no option --what"),
        (&["--interval"], "--interval needs a value"),
        (&["--interval", "0"], "not \"0\""),
        (&["--interval", "-5"], "not \"-5\""),
        (&["--interval", "65G"], "1 to 64G bytes"),
        (&["--interval", "18014398509481984K"], "1 to 64G bytes"),
        (&["--interval", "many"], "not \"many\""),
        (&["--repeat", "0"], "a number from 1"),
        (&["src", "tests"], "one PATH is enough"),
        (&[nowhere], "cannot read"),
        // A file is no folder.
        (&["--reports", file!()], "cannot write to"),
    ] {
        let output = run("index_files", |command| command.args(arguments));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(reason), "{arguments:?}: {said}");
        assert!(said.ends_with("Try --help.\n"), "{arguments:?}: {said}");
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
    }
}

#[test]
fn help_names_every_option() {
    let output = run("index_files", |command| command.arg("--help"));
    let help = succeeded(&output);
    for option in ["PATH", "--interval", "--repeat", "--reports", "--help"] {
        assert!(help.contains(option), "{option} in {help}");
    }
}

#[test]
fn an_empty_folder_is_no_result_and_no_panic() {
    let folder = Folder::new("empty");
    let output = run("index_files", |command| command.arg(&folder.0));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("no text file in"), "{said}");
}

#[test]
fn files_that_are_not_text_are_counted_and_named() {
    let folder = Folder::new("mixed");
    fs::write(folder.0.join("text"), "one two two").unwrap();
    fs::write(folder.0.join("empty"), "").unwrap();
    fs::write(folder.0.join("picture"), [0x89, 0xff, 0xfe, 0x00]).unwrap();
    fs::write(folder.0.join(".hidden"), "three").unwrap();
    fs::create_dir(folder.0.join("target")).unwrap();
    fs::write(folder.0.join("target").join("generated"), "four").unwrap();

    let output = run("index_files", |command| command.arg(&folder.0));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("left out, 1 in all"), "{said}");
    assert!(said.contains("picture: not UTF-8 text"), "{said}");
    let text = succeeded(&output);
    assert!(
        text.contains("2 files, 11 B, 1 lines, 3 words, 2 different ones"),
        "{text}"
    );
}

#[test]
fn collections_charges_each_maker_with_what_it_made() {
    let output = run("collections", |command| command);
    let text = succeeded(&output);
    let (_, stacks) = text.split_once("report_symbol()").unwrap();
    let (stacks, report) = stacks.split_once("unkai heap report").unwrap();

    const COLLECTIONS: f64 = 20_000.0;
    // A map for 100 entries has 128 places of 16 bytes, and a byte for each place and for 16 more.
    let (sequence, map) = (800.0, 128.0 * 16.0 + 128.0 + 16.0);
    for (maker, size) in [
        ("make_vectors", sequence),
        ("make_hash_maps", map),
        ("make_queues", sequence),
    ] {
        let charged: f64 = stacks
            .split("\n\n")
            .filter(|stack| stack.contains(&format!(" @ collections::{maker}\n")))
            .filter_map(|stack| stack.trim().split_once(" live, "))
            .map(|(bytes, _)| bytes_of(bytes))
            .sum();
        // One block in 99 is sampled, and stands for 99 blocks: the variance of n of them is n · (1 − p) / p.
        let variance = size * size * COLLECTIONS * 98.0;
        assert_within_5_errors(charged, variance, COLLECTIONS * size);
        assert!(
            report.contains(&format!("collections::{maker}")),
            "{report}"
        );
    }
}

#[test]
fn allocator_shows_what_each_handle_holds_and_that_freed_memory_leaves() {
    let output = run("allocator", |command| command);
    let text = succeeded(&output);
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .filter(|row: &Vec<&str>| row.len() == 4 && row[0].parse::<usize>().is_ok())
        .collect();
    let held: Vec<usize> = rows.iter().map(|row| row[0].parse().unwrap()).collect();
    let [documents, index, largest, after] = held[..] else {
        panic!("four rows expected in\n{text}");
    };
    assert!(
        documents > index && index > largest && largest > 0,
        "{text}"
    );
    assert_eq!((after, rows[3][1]), (0, "0"), "{text}");
    assert_eq!(rows[0][2], rows[3][2], "the peak stays\n{text}");
    assert!(
        rows.iter().all(|row| row[3].contains("allocator.rs:")),
        "{text}"
    );
}

#[test]
fn query_limits_refuses_one_query_and_all_others_are_right() {
    let output = run("query_limits", |command| command);
    let text = succeeded(&output);
    let queries: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("  process/"))
        .collect();
    let right = |line: &&&str| line.contains(" rows, right ");
    assert_eq!(queries.iter().filter(right).count(), 4, "{text}");
    let runaway = "process/globex/orders by country";
    assert!(
        queries[4].contains(runaway) && queries[4].contains(" refused "),
        "{text}"
    );

    let (_, why) = text.split_once("Why it was refused:").unwrap();
    let (why, trees) = why.split_once("All scopes at that moment:").unwrap();
    let value = |lead: &str| {
        let line = why.lines().find_map(|line| line.trim().strip_prefix(lead));
        line.expect(lead).trim()
    };
    assert_eq!(value("no room in"), runaway);
    assert_eq!(value("asked by"), format!("{runaway}/joined rows"));
    let (limit, used) = (bytes_of(value("limit")), bytes_of(value("in use")));
    let requested = bytes_of(value("asked for").strip_suffix(" more").unwrap());
    assert_eq!(limit, 8.0 * 1024.0 * 1024.0);
    assert!(used <= limit && used + requested > limit, "{why}");
    assert!(value("held by").ends_with("joined rows"), "{why}");

    let (then, now) = trees.split_once("All scopes when everything is").unwrap();
    let (then, now) = (scope_rows(then), scope_rows(now));
    let row = |name: &str| then.iter().find(|row| row.name == name).expect(name);
    let runaway = row("orders by country");
    assert_eq!(
        (runaway.used, runaway.notes),
        (used, "refused once"),
        "{text}"
    );
    assert!(row("process").used > used, "the others hold some\n{text}");
    assert!(now.iter().all(|row| row.used == 0.0), "{text}");
    assert_eq!(now.len(), 8, "{text}");
    assert!(text.ends_with("none has leaked.\n"), "{text}");
}

/// A line of a tree of scopes: `  4.53 MiB  8.00 MiB   56.6 % ██▉    4.53 MiB       2  │  ├─ name  · refused once`.
struct ScopeRow<'t> {
    name: &'t str,
    used: f64,
    notes: &'t str,
}

fn scope_rows(tree: &str) -> Vec<ScopeRow<'_>> {
    let mut lines = tree.lines().skip_while(|line| !line.ends_with("  scope"));
    let heading = lines.next().expect("the columns have headings");
    let before_names = heading.len() - "scope".len();
    lines
        .take_while(|line| !line.is_empty())
        .map(|line| {
            let (names, _) = line.char_indices().nth(before_names).unwrap();
            let branch = |c: char| "│├└─ ".contains(c);
            let name = line[names..].trim_start_matches(branch);
            let (name, notes) = name.split_once("  · ").unwrap_or((name, ""));
            let (used, _) = line.trim_start().split_once("  ").unwrap();
            let used = bytes_of(used);
            ScopeRow { name, used, notes }
        })
        .collect()
}

#[test]
fn cache_reclaim_lets_the_query_in_and_refills_the_cache() {
    let output = run("cache_reclaim", |command| command);
    let text = succeeded(&output);
    let row = |lead: &str| -> (f64, f64, usize) {
        let line = text.lines().find_map(|line| line.strip_prefix(lead));
        let words: Vec<&str> = line.expect(lead).split_whitespace().collect();
        let bytes = |at: usize| bytes_of(&words[at..at + 2].join(" "));
        (bytes(0), bytes(2), words[4].parse().unwrap())
    };
    let full = row("the whole file is cached");
    let query = row("the query has its 8 MiB");
    let scanned = row("the query has read the file");
    let refilled = row("the file was read once more");
    let mib = 1024.0 * 1024.0;
    assert_eq!(full.2, 512, "{text}");
    assert!(query.2 < full.2 / 2 && query.1 < full.1 / 2.0, "{text}");
    for (process, cache, _) in [query, scanned] {
        assert!(process <= 12.0 * mib, "{text}");
        assert!((process - cache - 8.0 * mib).abs() < 0.02 * mib, "{text}");
    }
    assert_eq!(refilled, full, "{text}");
    assert!(text.contains(", which is right."), "{text}");
    assert!(text.ends_with("Everything is given back.\n"), "{text}");
}

/// Runs an example to its end.
fn run(example: &str, arguments: impl FnOnce(&mut Command) -> &mut Command) -> Output {
    let test = std::env::current_exe().unwrap();
    let built = test.parent().and_then(Path::parent).unwrap();
    let program = built
        .join("examples")
        .join(format!("{example}{}", std::env::consts::EXE_SUFFIX));
    assert!(
        program.exists(),
        "{} is not there: `cargo test` builds it, and so does `cargo build --examples`",
        program.display()
    );
    arguments(&mut Command::new(&program)).output().unwrap()
}

/// What a program printed that ended well.
fn succeeded(output: &Output) -> &str {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
    str::from_utf8(&output.stdout).unwrap()
}

/// Live estimates by the innermost function of the example itself.
fn live_by_function(report: &Report) -> HashMap<String, Estimate> {
    let mut sums: HashMap<String, Estimate> = HashMap::new();
    for site in &report.snapshot().sites {
        add(
            sums.entry(function_of(report, site)).or_default(),
            &site.live,
        );
    }
    sums
}

fn function_of(report: &Report, site: &Site) -> String {
    let frames = report.call_stack(site);
    let of_example = |name: &str| name.starts_with("index_files") && name.contains("::");
    let own = frames
        .iter()
        .map(|frame| frame.name())
        .find(|name| of_example(name));
    match own {
        Some(name) => name.rsplit("::").next().unwrap().to_owned(),
        None => "none of the example's".to_owned(),
    }
}

fn add(sum: &mut Estimate, estimate: &Estimate) {
    sum.bytes += estimate.bytes;
    sum.blocks += estimate.blocks;
    sum.bytes_variance += estimate.bytes_variance;
    sum.blocks_variance += estimate.blocks_variance;
}

fn assert_within_5_errors(estimate: f64, variance: f64, exact: f64) {
    let errors = (estimate - exact) / variance.sqrt();
    assert!(
        errors.abs() <= 5.0,
        "{estimate:.0} is {errors:.1} standard errors away from the exact {exact:.0}"
    );
}

/// The two numbers in `<lead>123 bytes in 45 blocks`.
fn exact_figures(text: &str, lead: &str) -> (f64, f64) {
    let line = text.lines().find_map(|line| line.trim().strip_prefix(lead));
    let words: Vec<&str> = line.expect(lead).split(' ').collect();
    (words[0].parse().unwrap(), words[3].parse().unwrap())
}

/// `16.8 MiB` as a number.
fn bytes_of(text: &str) -> f64 {
    let (number, unit) = text.split_once(' ').unwrap();
    let power = ["B", "KiB", "MiB", "GiB"]
        .iter()
        .position(|known| *known == unit);
    number.parse::<f64>().unwrap() * 1024f64.powi(power.unwrap() as i32)
}

/// A folder of its own for a test, gone when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("examples-{}-{name}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind lies in a folder for such things.
        drop(fs::remove_dir_all(&self.0));
    }
}

//! What each command prints when all is well.

use std::time::Duration;

use unkai_report::{Report, Symbols, Value, folded, json, text};

use crate::samples;
use crate::tool::{Folder, check};

fn text_of(options: text::Options) -> String {
    let mut out = Vec::new();
    text::write(&samples::search_service(), &options, &mut out).expect("a Vec takes it");
    String::from_utf8(out).expect("text is UTF-8")
}

#[test]
fn info_says_what_a_profile_is() {
    let folder = Folder::with_samples();
    check("info.txt", &folder.run(&["info", "service.json"]).printed());
    folder.save("troubled.json", &samples::troubled());
    let troubled = folder.run(&["info", "troubled.json"]).printed();
    assert!(troubled.contains("\n  ! Sampling is paused."), "{troubled}");
}

#[test]
fn top_ranks_sites_by_any_value() {
    let folder = Folder::with_samples();
    check("top.txt", &folder.run(&["top", "service.json"]).printed());
    let peak = ["top", "service.json", "-n", "2", "--by", "peak-blocks"];
    check("top-2-peak-blocks.txt", &folder.run(&peak).printed());
    for (by, title) in [
        ("live", "Top sites by live bytes "),
        ("live-blocks", "Top sites by live blocks "),
        ("blocks", "Top sites by live blocks "),
        ("allocated", "Top sites by allocated bytes "),
        ("allocated-blocks", "Top sites by allocated blocks "),
        ("peak", "Top sites by bytes live at the peak "),
        ("peak-blocks", "Top sites by blocks live at the peak "),
    ] {
        let out = folder.run(&["top", "service.json", "--by", by]).printed();
        assert!(out.contains(title), "{by}: {out}");
    }
}

#[test]
fn report_is_the_whole_text() {
    let folder = Folder::with_samples();
    let report = folder.run(&["report", "service.json"]).printed();
    assert_eq!(report, text_of(text::Options::new().width(80)));
    assert_eq!(folder.run(&["text", "service.json"]).printed(), report);
    let arguments = [
        "report",
        "service.json",
        "--width",
        "120",
        "-n",
        "1",
        "--min-share",
        "30%",
    ];
    let options = text::Options::new().width(120).top_sites(1).min_share(0.3);
    assert_eq!(folder.run(&arguments).printed(), text_of(options));
}

#[test]
fn without_a_terminal_text_has_a_hundred_columns() {
    let folder = Folder::with_samples();
    let mut command = folder.command(&["report", "service.json"]);
    let output = command.env_remove("COLUMNS").output().expect("it runs");
    let out = String::from_utf8(output.stdout).expect("text is UTF-8");
    assert_eq!(out, text_of(text::Options::new()));
}

#[test]
fn convert_writes_what_the_library_writes() {
    let folder = Folder::with_samples();
    let run = |arguments: &[&str]| {
        let arguments = [&["convert", "service.json"], arguments].concat();
        folder.run(&arguments).printed()
    };
    assert_eq!(
        run(&["--to", "text"]),
        text_of(text::Options::new().width(80))
    );
    assert_eq!(run(&["--to", "json"]), folder.get("service.json"));
    for (value, name) in [
        (Value::LiveBytes, "live"),
        (Value::AllocatedBlocks, "allocated-blocks"),
    ] {
        let mut out = Vec::new();
        let options = folded::Options::new().value(value);
        folded::write(&samples::search_service(), &options, &mut out).expect("a Vec takes it");
        let folded = run(&["--to", "folded", "--value", name]);
        assert_eq!(folded.as_bytes(), out);
        assert_eq!(run(&["-o", "heap.folded", "--value", name]), "");
        assert_eq!(folder.get("heap.folded"), folded);
    }
    assert_eq!(run(&["-o", "-", "--to", "text"]), run(&["--to", "text"]));
}

#[test]
fn every_format_is_written_under_its_own_ending() {
    let folder = Folder::with_samples();
    for (name, start) in [
        ("heap.html", &b"<!doctype html>"[..]),
        ("heap.svg", b"<?xml"),
        ("heap.pb.gz", b"\x1f\x8b"),
        ("heap.dhat", b"{\"dhatFileVersion\":2"),
        (
            "heap.speedscope.json",
            b"{\"$schema\":\"https://www.speedscope.app/",
        ),
        ("heap.prom", b"# HELP unkai_"),
    ] {
        for arguments in [
            &["convert", "service.json", "-o", name][..],
            &["diff", "earlier.json", "service.json", "-o", name],
        ] {
            if arguments[0] == "convert" || name != "heap.prom" {
                folder.run(arguments).printed();
            }
            let content = std::fs::read(folder.path(name)).expect("it was written");
            let begin = &content[..content.len().min(60)];
            assert!(
                content.starts_with(start),
                "{name}: {}",
                String::from_utf8_lossy(begin)
            );
        }
    }
}

#[test]
fn titles_tell_where_a_report_comes_from() {
    let folder = Folder::with_samples();
    let html = folder
        .run(&["convert", "service.json", "--to", "html"])
        .printed();
    assert!(html.contains("<title>service.json"));
    let html = folder
        .run(&["diff", "earlier.json", "service.json", "--to", "html"])
        .printed();
    assert!(html.contains("<title>service.json since earlier.json"));
}

#[test]
fn diff_shows_what_changed() {
    let folder = Folder::with_samples();
    let text = folder
        .run(&["diff", "earlier.json", "service.json"])
        .printed();
    check("diff.txt", &text);
    let folded = ["diff", "earlier.json", "service.json", "--to", "folded"];
    let folded = folder.run(&folded).printed();
    assert!(
        folded.ends_with(";<T as alloc::slice::hack::ConvertVec>::to_vec 5000000\n"),
        "{folded}"
    );
    assert_eq!(folded.lines().count(), 1);
    let saved = ["diff", "earlier.json", "service.json", "-o", "change.json"];
    assert_eq!(folder.run(&saved).printed(), "");
    assert_eq!(folder.run(&["report", "change.json"]).printed(), text);
}

#[test]
fn a_profile_has_not_changed_since_itself() {
    let folder = Folder::with_samples();
    let out = folder
        .run(&["diff", "service.json", "service.json"])
        .printed();
    assert!(
        out.contains("The two snapshots were taken at the same time."),
        "{out}"
    );
}

#[test]
fn diff_knows_the_names_of_both_profiles() {
    let folder = Folder::with_samples();
    let (snapshot, _) = samples::search_service().into_parts();
    let bare = Report::from_parts(snapshot, Symbols::new());
    folder.save("bare.json", &bare);
    let named = folder
        .run(&["diff", "earlier.json", "service.json"])
        .printed();
    let out = folder.run(&["diff", "earlier.json", "bare.json"]).printed();
    assert_eq!(out, named);
}

#[test]
fn leaks_finds_what_grows_in_profiles_in_any_order() {
    let folder = Folder::with_samples();
    for (minutes, part) in [(30, 0.25), (20, 0.5), (10, 0.75)] {
        let (mut snapshot, symbols) = samples::search_service().into_parts();
        snapshot.uptime -= Duration::from_secs(60 * minutes);
        let live = &mut snapshot.sites[4].live;
        live.bytes *= part;
        live.blocks *= part;
        live.bytes_variance *= part;
        let report = Report::from_parts(snapshot, symbols);
        folder.save(&format!("{minutes}.json"), &report);
    }
    let leaks = ["leaks", "30.json", "20.json", "10.json", "service.json"];
    let out = folder.run(&leaks).printed();
    check("leaks.txt", &out);
    let turned = ["leaks", "10.json", "service.json", "30.json", "20.json"];
    assert_eq!(folder.run(&turned).printed(), out);
}

#[test]
fn where_nothing_is_live_nothing_leaks() {
    let folder = Folder::new();
    let (mut snapshot, symbols) = samples::search_service().into_parts();
    snapshot.sites.clear();
    folder.save("empty.json", &Report::from_parts(snapshot, symbols));
    let out = folder.run(&["leaks", "empty.json"]).printed();
    assert!(out.ends_with("  No site looks like a leak.\n"), "{out}");
}

#[test]
fn scopes_are_shown_to_people_and_to_prometheus() {
    let folder = Folder::with_samples();
    check(
        "scopes.txt",
        &folder.run(&["scopes", "scopes.json"]).printed(),
    );
    let metrics = folder
        .run(&["scopes", "scopes.json", "--to", "prometheus"])
        .printed();
    let used = "\nunkai_scope_used_bytes{scope=\"search/cache\"} 18874368\n";
    assert!(
        metrics.contains(used) && metrics.ends_with("\n# EOF\n"),
        "{metrics}"
    );
}

#[test]
fn what_is_converted_to_json_is_still_the_profile() {
    let folder = Folder::new();
    folder.save("troubled.json", &samples::troubled());
    folder
        .run(&["convert", "troubled.json", "-o", "copy.json"])
        .printed();
    let copy = json::read(folder.get("copy.json").as_bytes()).expect("it is a profile");
    assert_eq!(copy, samples::troubled());
}

//! Whole documents, compared with files of the folder `golden`.
//!
//! After a wanted change, run the tests once with `UNKAI_BLESS=1` and read the difference before keeping it.

use std::path::Path;
use std::{env, fs};

use unkai_report::{Report, Value, folded, text};

use crate::samples;

pub(crate) fn check(name: &str, actual: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if env::var_os("UNKAI_BLESS").is_some() {
        fs::write(&path, actual).expect("the folder of golden files can be written");
        return;
    }
    let expected = fs::read(&path).unwrap_or_default();
    let (expected, actual) = (
        String::from_utf8_lossy(&expected),
        String::from_utf8_lossy(actual),
    );
    for (line, (expected, actual)) in expected.lines().zip(actual.lines()).enumerate() {
        assert_eq!(actual, expected, "{name}, line {}", line + 1);
    }
    assert_eq!(actual.len(), expected.len(), "{name} has another length");
}

fn text(report: &Report, options: &text::Options<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    text::write(report, options, &mut out).expect("a Vec takes it");
    out
}

#[test]
fn the_text_of_a_healthy_report_is_as_agreed() {
    check(
        "search-service.txt",
        &text(&samples::search_service(), &text::Options::new()),
    );
}

#[test]
fn the_text_fits_in_eighty_columns() {
    let options = text::Options::new().width(80).top_sites(3).min_share(0.1);
    let out = text(&samples::search_service(), &options);
    check("search-service-80.txt", &out);
    let widest = String::from_utf8_lossy(&out)
        .lines()
        .map(|line| line.chars().count())
        .max();
    assert!(widest <= Some(80), "{widest:?}");
}

#[test]
fn a_wide_terminal_has_bars() {
    let out = text(&samples::search_service(), &text::Options::new().width(120));
    check("search-service-120.txt", &out);
    let widest = String::from_utf8_lossy(&out)
        .lines()
        .map(|line| line.chars().count())
        .max();
    assert!(widest <= Some(120), "{widest:?}");
}

#[test]
fn colours_change_nothing_but_the_colour() {
    for report in [
        samples::search_service(),
        samples::troubled(),
        samples::change(),
    ] {
        for width in [80, 120] {
            let options = text::Options::new().width(width);
            let colored = text(&report, &options.color(true));
            let colored = String::from_utf8(colored).expect("text is UTF-8");
            let mut plain = String::new();
            for (at, piece) in colored.split('\u{1b}').enumerate() {
                let piece = match piece.split_once('m') {
                    Some((code, rest)) if at > 0 => {
                        assert!(code.starts_with('['), "{code}");
                        rest
                    }
                    _ => piece,
                };
                plain.push_str(piece);
            }
            assert!(colored.len() > plain.len());
            assert_eq!(plain.as_bytes(), text(&report, &options));
        }
    }
}

#[test]
fn what_is_no_terminal_gets_plain_text() {
    let file = fs::File::open(env!("CARGO_MANIFEST_DIR")).expect("a folder can be opened");
    assert_eq!(text::Options::for_terminal(&file), text::Options::new());
}

#[test]
fn the_text_of_a_troubled_report_starts_with_the_troubles() {
    check(
        "troubled.txt",
        &text(&samples::troubled(), &text::Options::new()),
    );
}

#[test]
fn the_text_of_a_difference_shows_signed_growth() {
    check(
        "change.txt",
        &text(&samples::change(), &text::Options::new()),
    );
}

#[test]
fn the_text_without_names_shows_addresses() {
    let (mut snapshot, _) = samples::troubled().into_parts();
    snapshot.sites.truncate(3);
    let report = Report::without_names(snapshot);
    check("without-names.txt", &text(&report, &text::Options::new()));
}

#[test]
fn a_quick_look_shows_one_thing_as_the_whole_report_does() {
    let (service, options) = (samples::search_service(), text::Options::new());
    let mut out = Vec::new();
    text::write_summary(&service, &options, &mut out).expect("a Vec takes it");
    check("summary.txt", &out);

    let whole = String::from_utf8(text(&service, &options)).expect("text is UTF-8");
    for value in Value::ALL {
        let mut out = Vec::new();
        text::write_top(&service, value, &options, &mut out).expect("a Vec takes it");
        let top = String::from_utf8(out).expect("text is UTF-8");
        let (title, table) = top
            .split_once("\n\n")
            .expect("the title ends with a blank line");
        assert!(whole.starts_with(title));
        assert_eq!(whole.contains(table), value.is_bytes(), "{table}");
    }
    for (name, report) in [
        ("top-live-blocks.txt", service),
        ("top-live-blocks-change.txt", samples::change()),
    ] {
        let mut out = Vec::new();
        text::write_top(&report, Value::LiveBlocks, &options, &mut out).expect("a Vec takes it");
        check(name, &out);
    }
}

/// The head of each warns of losses and points to a section below.
#[test]
fn a_quick_look_says_what_was_lost() {
    let (troubled, options) = (samples::troubled(), text::Options::new());
    let mut looks = [Vec::new(), Vec::new(), Vec::new()];
    let [summary, top, suspects] = &mut looks;
    text::write_summary(&troubled, &options, summary).expect("a Vec takes it");
    text::write_top(&troubled, Value::LiveBytes, &options, top).expect("a Vec takes it");
    text::write_suspects(&troubled, &options, suspects).expect("a Vec takes it");
    let whole = String::from_utf8(text(&troubled, &options)).expect("text is UTF-8");
    let (_, losses) = whole.split_once("── Losses").expect("it lost something");
    let (losses, _) = losses.split_once("\n\n").expect("a blank line ends it");
    for look in looks {
        let look = String::from_utf8(look).expect("text is UTF-8");
        assert!(look.contains("Losses, below"), "{look}");
        assert!(look.trim_end().ends_with(losses), "{look}");
    }
}

#[test]
fn a_value_that_no_site_has_is_told() {
    let (mut snapshot, symbols) = samples::search_service().into_parts();
    snapshot.sites.clear();
    let mut out = Vec::new();
    let report = Report::from_parts(snapshot, symbols);
    let options = text::Options::new().width(80);
    text::write_top(&report, Value::PeakBlocks, &options, &mut out).expect("a Vec takes it");
    let out = String::from_utf8(out).expect("text is UTF-8");
    let rule = "─".repeat(40);
    let table = format!("\n── Top sites by blocks live at the peak {rule}\n  No site has any.\n");
    assert!(out.ends_with(&table), "{out}");
}

#[test]
fn folded_stacks_are_as_agreed() {
    for (name, value) in [
        ("live-bytes.folded.txt", Value::LiveBytes),
        ("allocated-blocks.folded.txt", Value::AllocatedBlocks),
    ] {
        let mut out = Vec::new();
        let options = folded::Options::new().value(value);
        folded::write(&samples::search_service(), &options, &mut out).expect("a Vec takes it");
        check(name, &out);
    }
}

/// The guide stands outside of this crate: in a packaged crate there is nothing to compare.
#[test]
fn the_guide_shows_lines_of_real_reports_only() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Ok(guide) = fs::read_to_string(folder.join("../docs/reading-a-report.md")) else {
        return;
    };
    let reports = [
        "search-service.txt",
        "troubled.txt",
        "change.txt",
        "scopes.txt",
    ]
    .map(|name| {
        fs::read_to_string(folder.join("tests/golden").join(name)).expect("golden files are there")
    });
    let mut quoted = 0;
    for block in guide.split("```text\n").skip(1) {
        let block = block.split("```").next().unwrap_or_default();
        for line in block.lines().filter(|line| !line.is_empty()) {
            let known = reports
                .iter()
                .any(|report| report.lines().any(|other| other == line));
            assert!(known, "no report has this line of the guide: {line}");
            quoted += 1;
        }
    }
    assert!(quoted > 30, "the guide quotes {quoted} lines");
}

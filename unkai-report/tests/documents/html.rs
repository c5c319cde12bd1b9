//! The page for a browser, without a browser: its data, and that nothing gets out of it.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use unkai_core::{Site, Snapshot};
use unkai_report::{Report, html};

use crate::golden::check;
use crate::samples;

fn page(report: &Report, options: &html::Options<'_>) -> String {
    let mut out = Vec::new();
    html::write(report, options, &mut out).expect("a Vec takes it");
    String::from_utf8(out).expect("the page is UTF-8")
}

/// The text between the tags of the element of data.
fn data_text(page: &str) -> &str {
    let (_, behind) = page
        .split_once("<script type=\"application/json\" id=\"data\">")
        .expect("the page has data");
    behind.split_once("</script>").expect("which ends").0
}

fn data(report: &Report) -> Value {
    let page = page(report, &html::Options::new().title("search"));
    serde_json::from_str(data_text(&page)).expect("the data is JSON")
}

/// One line for each entry of the document and for each entry of those.
fn listed(data: &Value) -> String {
    let mut text = String::new();
    for (name, value) in data.as_object().expect("the document is an object") {
        match value {
            Value::Object(parts) => parts.iter().for_each(|(part, value)| {
                writeln!(text, "{name}.{part}: {value}").expect("a String takes it");
            }),
            Value::Array(items) => items.iter().enumerate().for_each(|(number, value)| {
                writeln!(text, "{name}.{number}: {value}").expect("a String takes it");
            }),
            _ => writeln!(text, "{name}: {value}").expect("a String takes it"),
        }
    }
    text
}

fn sum(list: &Value) -> f64 {
    let numbers = list.as_array().expect("it is a list").iter();
    numbers
        .map(|number| number.as_f64().expect("it is a number"))
        .sum()
}

#[test]
fn the_data_of_the_page_is_as_agreed() {
    let report = samples::search_service();
    check("search-service.html.txt", listed(&data(&report)).as_bytes());
}

#[test]
fn the_sums_of_the_page_are_those_of_the_snapshot() {
    for report in [
        samples::search_service(),
        samples::web_shop(),
        samples::change(),
    ] {
        let data = data(&report);
        let snapshot = report.snapshot();
        let sites = &data["sites"];
        let live: f64 = snapshot.sites.iter().map(|site| site.live.bytes).sum();
        let allocated: f64 = snapshot
            .sites
            .iter()
            .map(|site| site.allocated.blocks)
            .sum();
        let rounding = snapshot.sites.len() as f64;
        assert!((sum(&sites["live"]["bytes"]) - live).abs() < rounding);
        assert!((sum(&sites["allocated"]["blocks"]) - allocated).abs() < rounding);
        let totals = &data["totals"];
        assert_eq!(totals["live"]["bytes"], snapshot.totals.live_bytes());
        assert_eq!(totals["freed"]["blocks"], snapshot.totals.freed.blocks);
        assert_eq!(totals["peak_bytes"], snapshot.totals.peak_live_bytes);
    }
}

#[test]
fn the_page_is_one_file_that_allows_itself_no_connection() {
    let page = page(&samples::web_shop(), &html::Options::new());
    assert!(page.starts_with("<!doctype html>\n"));
    assert!(page.contains("content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:;"));
    let outside_data = page.replace(data_text(&page), "");
    for connection in ["http://", "https://", "@import", "fetch(", "url("] {
        let uses = outside_data.matches(connection).count();
        // The namespace of SVG is a name, not an address: once in the icon, once in the script.
        let names = outside_data.matches("http://www.w3.org/2000/svg").count();
        assert_eq!(
            uses,
            if connection == "http://" { names } else { 0 },
            "{connection}"
        );
    }
}

#[test]
fn no_name_gets_out_of_the_data() {
    let title = "</title><script>alert(1)</script>";
    let report = samples::hostile();
    let page = page(&report, &html::Options::new().title(title));
    let harmless = self::page(&samples::search_service(), &html::Options::new());
    for tag in ["<script", "</script", "<img", "<!--", "</title", "<b>"] {
        let count = |page: &str| page.matches(tag).count();
        assert_eq!(count(&page), count(&harmless), "{tag}");
    }
    assert!(!data_text(&page).contains(['<', '>', '&', '\u{2028}', '\u{2029}', '\n']));
    let data: Value = serde_json::from_str(data_text(&page)).expect("the data is JSON");
    assert_eq!(data["title"], title);
    // Written as what differs from the name before it.
    let names = data["stacks"]["functions"]["rest"].to_string();
    assert!(names.contains("\"img src=x onerror=alert(1)>::f\""));
}

#[test]
fn numbers_that_are_none_become_zero() {
    let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
    snapshot.window = Some(Duration::ZERO);
    for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX] {
        let mut site = Site::new(2, vec![0x10]);
        site.live.bytes = odd;
        site.live.bytes_variance = odd;
        site.allocated.blocks = -odd;
        site.lifetimes.buckets = [odd; 48];
        snapshot.sites.push(site);
    }
    let data = data(&Report::without_names(snapshot));
    let live = &data["sites"]["live"];
    assert_eq!(live["bytes"].to_string(), "[0,0,0,0]");
    assert!(sum(&live["bytes_error"]).is_finite());
    assert_eq!(data["groups"]["lifetimes"].to_string(), "[[]]");
}

#[test]
fn stacks_of_absurd_depth_and_none_at_all_are_written() {
    let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
    snapshot.sites.push(Site::new(2, (0..100_000).collect()));
    snapshot.sites.push(Site::new(3, Vec::new()));
    let data = data(&Report::without_names(snapshot));
    let nodes = data["stacks"]["nodes"]["up"].as_array().map(Vec::len);
    assert_eq!(nodes, Some(100_000 + 2));
}

/// The page of a large program must not keep anybody waiting, nor fill a mail box.
#[test]
fn many_call_stacks_stay_small() {
    let sites = 5_000;
    let page = page(&samples::many_sites(sites), &html::Options::new());
    let each = page.len() / sites;
    assert!(each < 400, "{each} bytes for each call stack");
}

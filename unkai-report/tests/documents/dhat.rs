//! What profiles for DHAT's viewer promise beyond what the viewer itself checks.

use std::collections::HashSet;
use std::time::SystemTime;

use serde_json::Value;
use unkai_core::{Site, Snapshot};
use unkai_report::{Report, dhat};

use crate::{golden, samples};

fn profile(report: &Report) -> Value {
    let mut out = Vec::new();
    dhat::write(report, &dhat::Options::new(), &mut out).expect("a Vec takes it");
    serde_json::from_slice(&out).expect("it is JSON")
}

fn points(profile: &Value) -> &[Value] {
    profile["pps"].as_array().expect("it is a list")
}

fn sum(profile: &Value, field: &str) -> u64 {
    let values = points(profile).iter().map(|point| point[field].as_u64());
    values.map(|value| value.expect("it is an integer")).sum()
}

/// The texts of a program point's frames, innermost first.
fn frames<'a>(profile: &'a Value, point: &Value) -> Vec<&'a str> {
    let numbers = point["fs"].as_array().expect("it is a list");
    let text = |number: &Value| profile["ftbl"][number.as_u64()? as usize].as_str();
    let texts = numbers.iter().map(text);
    texts
        .map(|text| text.expect("it is in the table"))
        .collect()
}

#[test]
fn profiles_for_dhat_are_as_agreed() {
    for (name, report) in [
        ("search-service.dhat.json", samples::search_service()),
        ("troubled.dhat.json", samples::troubled()),
    ] {
        let pretty = serde_json::to_string_pretty(&profile(&report)).expect("it was JSON");
        golden::check(name, pretty.as_bytes());
    }
}

#[test]
fn sums_over_all_program_points_are_the_rounded_sums_of_the_sites() {
    let report = samples::search_service();
    let profile = profile(&report);
    let exact = |of: fn(&Site) -> f64| {
        let sites = report.snapshot().sites.iter();
        sites.map(of).sum::<f64>().round() as u64
    };
    assert_eq!(sum(&profile, "tb"), exact(|site| site.allocated.bytes));
    assert_eq!(sum(&profile, "tbk"), exact(|site| site.allocated.blocks));
    assert_eq!(sum(&profile, "gb"), exact(|site| site.at_peak.bytes));
    assert_eq!(sum(&profile, "gbk"), exact(|site| site.at_peak.blocks));
    assert_eq!(sum(&profile, "eb"), exact(|site| site.live.bytes));
    assert_eq!(sum(&profile, "ebk"), exact(|site| site.live.blocks));
}

#[test]
fn a_lifetime_is_the_geometric_middle_of_its_bucket_and_at_most_the_whole_run() {
    let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
    snapshot.uptime = std::time::Duration::from_micros(100);
    let mut site = Site::new(2, vec![1]);
    // Ten of 1 to 2 µs, in nanoseconds of powers of two; two that are live since the start.
    site.lifetimes.buckets[11] = 10.0;
    site.ages.buckets[17] = 2.0;
    snapshot.sites.push(site);
    let lifetimes = (10.0 * 1.448 + 2.0 * 92.68_f64).round() as u64;
    assert_eq!(
        sum(&profile(&Report::without_names(snapshot.clone())), "tl"),
        lifetimes
    );
    snapshot.sites[0].ages.buckets = [0.0; 48];
    snapshot.sites[0].ages.buckets[47] = 2.0;
    let lifetimes = (10.0 * 1.448 + 2.0 * 100.0_f64).round() as u64;
    assert_eq!(
        sum(&profile(&Report::without_names(snapshot)), "tl"),
        lifetimes
    );
}

#[test]
fn no_stack_is_there_twice() {
    // The viewer refuses files with a stack twice. Two sites of this report have none.
    for report in [
        samples::troubled(),
        samples::hostile(),
        samples::many_sites(3_000),
    ] {
        let profile = profile(&report);
        let mut known = HashSet::new();
        for point in points(&profile) {
            let frames = frames(&profile, point);
            assert!(!frames.is_empty());
            assert!(known.insert(frames.clone()), "{frames:?}");
        }
    }
}

#[test]
fn what_shrank_is_zero_and_ages_of_a_difference_do_not_count() {
    let profile = profile(&samples::change());
    assert_eq!(profile["te"], 60_000_000);
    let shrank = points(&profile).iter().find(|point| {
        let frames = frames(&profile, point);
        frames.iter().any(|frame| frame.contains("rank::score"))
    });
    assert_eq!(shrank.expect("it is there")["eb"], 0);
    assert!(sum(&profile, "eb") > 0);
}

#[test]
fn the_moment_of_the_peak_is_known_if_it_is_now() {
    let (mut snapshot, symbols) = samples::search_service().into_parts();
    assert_eq!(
        profile(&Report::from_parts(snapshot.clone(), symbols.clone()))["tg"],
        0
    );
    snapshot.totals.peak_live_bytes = snapshot.totals.live_bytes() as u64;
    let profile = profile(&Report::from_parts(snapshot, symbols));
    assert_eq!(profile["tg"], 7_384_000_000_u64);
}

#[test]
fn odd_numbers_are_zero_and_an_empty_report_is_a_profile() {
    let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
    let empty = profile(&Report::without_names(snapshot.clone()));
    assert_eq!(empty["ftbl"][0], "[root]");
    assert!(points(&empty).is_empty());
    let mut site = Site::new(2, vec![1]);
    site.allocated.bytes = f64::NAN;
    site.live.bytes = -7.0;
    snapshot.sites.push(site);
    let odd = profile(&Report::without_names(snapshot));
    assert_eq!((sum(&odd, "tb"), sum(&odd, "eb")), (0, 0));
}

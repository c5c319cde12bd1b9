//! What profiles for speedscope promise beyond their schema, which is checked with the viewer.

use std::time::SystemTime;

use serde_json::Value as Json;
use unkai_core::{Site, Snapshot};
use unkai_report::{Report, Value, speedscope};

use crate::{golden, samples};

fn document(report: &Report, options: &speedscope::Options) -> Json {
    let mut out = Vec::new();
    speedscope::write(report, options, &mut out).expect("a Vec takes it");
    serde_json::from_slice(&out).expect("it is JSON")
}

fn profiles(document: &Json) -> &[Json] {
    document["profiles"].as_array().expect("it is a list")
}

fn names(document: &Json) -> Vec<&str> {
    let names = profiles(document).iter().map(|profile| &profile["name"]);
    names
        .map(|name| name.as_str().expect("it has a name"))
        .collect()
}

#[test]
fn a_profile_for_speedscope_is_as_agreed() {
    let document = document(&samples::search_service(), &speedscope::Options::new());
    let pretty = serde_json::to_string_pretty(&document).expect("it was JSON");
    golden::check("search-service.speedscope.json", pretty.as_bytes());
}

#[test]
fn each_profile_sums_up_to_its_end_and_to_the_sites() {
    let report = samples::search_service();
    let document = document(&report, &speedscope::Options::new());
    assert_eq!(profiles(&document).len(), Value::ALL.len());
    for (value, profile) in Value::ALL.into_iter().zip(profiles(&document)) {
        let sites = report.snapshot().sites.iter();
        let sum = sites.map(|site| value.of(site)).sum::<f64>().round() as u64;
        assert_eq!(profile["endValue"], sum, "{}", value.name());
        let weights = profile["weights"].as_array().expect("it is a list");
        let weights = weights.iter().filter_map(Json::as_u64);
        assert_eq!(weights.sum::<u64>(), sum, "{}", value.name());
        let unit = if value.is_bytes() { "bytes" } else { "none" };
        assert_eq!(profile["unit"], unit);
    }
}

#[test]
fn the_chosen_value_is_shown_first() {
    let options = speedscope::Options::new().value(Value::PeakBytes);
    let document = document(&samples::search_service(), &options);
    let active = document["activeProfileIndex"]
        .as_u64()
        .expect("it is a number");
    let name = names(&document)[active as usize];
    assert!(name.starts_with("bytes at the peak: "), "{name}");
}

#[test]
fn a_difference_has_what_grew_and_what_shrank() {
    let document = document(&samples::change(), &speedscope::Options::new());
    let names = names(&document);
    assert_eq!(
        names[..2],
        ["live bytes that grew", "live bytes that shrank"]
    );
    for (profile, function) in profiles(&document)[..2]
        .iter()
        .zip(["Cache::put", "rank::score"])
    {
        let samples = profile["samples"].as_array().expect("it is a list");
        let frames = samples.iter().filter_map(Json::as_array).flatten();
        let frames =
            frames.map(|frame| &document["shared"]["frames"][frame.as_u64().unwrap_or(0) as usize]);
        let names: Vec<_> = frames.filter_map(|frame| frame["name"].as_str()).collect();
        assert!(
            names.iter().any(|name| name.contains(function)),
            "{names:?}"
        );
    }
}

#[test]
fn a_report_without_weights_has_one_profile() {
    let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
    let mut site = Site::new(2, vec![1]);
    site.live.bytes = f64::NAN;
    site.allocated.bytes = -7.0;
    snapshot.sites.push(site);
    let document = document(
        &Report::without_names(snapshot),
        &speedscope::Options::new(),
    );
    assert_eq!(profiles(&document).len(), 1);
    assert_eq!(document["profiles"][0]["endValue"], 0);
}

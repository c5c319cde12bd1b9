//! Profiles in speedscope.

use std::fs;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use unkai_core::Snapshot;
use unkai_report::{Report, speedscope};

use crate::samples;
use crate::tool::{self, Tool};

pub(crate) fn tests() -> Vec<Trial> {
    vec![tool::trial(
        "speedscope_shows_names_and_totals",
        &[Tool::Browser],
        shows_names_and_totals,
    )]
}

fn shows_names_and_totals() -> Result<(), Failed> {
    let empty = Snapshot::empty(std::time::UNIX_EPOCH);
    // Each with words that the page must have: the profile's name, functions, and in the sandwich view their totals.
    let reports = [
        (
            "search-service",
            samples::search_service(),
            vec![
                "live bytes: 70.1 MiB ± 10.2 MiB",
                "search::index::load",
                "50.51 MB",
            ],
        ),
        (
            "troubled",
            samples::troubled(),
            vec!["search::deep", "(stack could not be taken)"],
        ),
        (
            "change",
            samples::change(),
            vec!["live bytes that grew", "search::cache::Cache::put"],
        ),
        ("hostile", samples::hostile(), vec!["my_app::main"]),
        (
            "many-sites",
            samples::many_sites(5_000),
            vec!["big::part39"],
        ),
        (
            "empty",
            Report::without_names(empty),
            vec!["live bytes: 0 B"],
        ),
    ];
    let folder = tool::results_folder();
    let mut arguments = vec![folder.clone()];
    for (name, report, _) in &reports {
        let file = folder.join(format!("{name}.speedscope.json"));
        let options = speedscope::Options::new();
        speedscope::write(report, &options, &mut fs::File::create(&file)?)?;
        arguments.push(file);
    }
    let printed = tool::browse("speedscope.mjs", arguments)?;
    let results: Vec<Value> = serde_json::from_str(&printed)?;
    assert_eq!(results.len(), reports.len());
    for ((name, _, words), result) in reports.iter().zip(&results) {
        assert_eq!(result["valid"], Value::Null, "{name}");
        assert_eq!(result["errors"], serde_json::json!([]), "{name}");
        let shown = result["shown"].to_string() + &result["title"].to_string();
        for word in words {
            assert!(shown.contains(word), "{name} has no {word}: {shown}");
        }
    }
    Ok(())
}

//! Profiles in DHAT's own viewer.

use std::fs;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use unkai_core::Site;
use unkai_report::{Report, dhat, units};

use crate::samples;
use crate::tool::{self, Tool};

pub(crate) fn tests() -> Vec<Trial> {
    vec![tool::trial(
        "dhats_viewer_shows_the_sums_of_the_sites",
        &[Tool::Browser, Tool::DhatViewer],
        shows_the_sums,
    )]
}

fn shows_the_sums() -> Result<(), Failed> {
    let reports = [
        ("search-service", samples::search_service()),
        ("troubled", samples::troubled()),
        ("change", samples::change()),
        ("hostile", samples::hostile()),
        ("many-sites", samples::many_sites(5_000)),
    ];
    let folder = tool::results_folder();
    let viewer = tool::dhat_viewer().ok_or("the viewer is not installed")?;
    let mut arguments = vec![viewer, folder.join("dhat.png")];
    for (name, report) in &reports {
        let file = folder.join(format!("{name}.dhat.json"));
        let options = dhat::Options::new();
        dhat::write(report, &options, &mut fs::File::create(&file)?)?;
        arguments.push(file);
    }
    let printed = tool::browse("dhat.mjs", arguments)?;
    let results: Vec<Value> = serde_json::from_str(&printed)?;
    assert_eq!(results.len(), reports.len());
    for ((name, report), result) in reports.iter().zip(&results) {
        assert_eq!(result["error"], Value::Null, "{name}");
        assert_eq!(result["errors"], serde_json::json!([]), "{name}");
        // By bytes, blocks, tiny ones, short-lived ones, at the peak and at the end.
        assert_eq!(result["metrics"], 6, "{name}");
        let text = result["text"].as_str().unwrap_or_default();
        let root = text.split("PP 1/1").nth(1).unwrap_or_default();
        for (line, of) in [
            (
                "Total:     ",
                (|site| site.allocated.bytes) as fn(&Site) -> f64,
            ),
            ("At t-gmax: ", |site| site.at_peak.bytes),
            ("At t-end:  ", |site| site.live.bytes),
        ] {
            let expected = format!("{line}{} bytes", units::digits(sum(report, of)));
            assert!(root.contains(&expected), "{name}: {expected}\n{text:.2000}");
        }
    }
    Ok(())
}

/// What grew only, stack by stack: no report here has two sites with one stack of which one shrank.
fn sum(report: &Report, of: fn(&Site) -> f64) -> u64 {
    let sites = report.snapshot().sites.iter();
    sites.map(|site| of(site).max(0.0)).sum::<f64>().round() as u64
}

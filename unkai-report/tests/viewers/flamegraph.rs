//! Flame graphs in a browser.

use std::fs;
use std::path::PathBuf;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use unkai_report::flamegraph::{self, Options};
use unkai_report::{Report, Value as Shown};

use crate::samples;
use crate::tool::{self, Tool};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        tool::trial(
            "flame_graphs_zoom_and_search_in_a_browser",
            &[Tool::Browser],
            zoom_and_search,
        ),
        tool::trial(
            "flame_graphs_of_any_report_open_in_a_browser",
            &[Tool::Browser],
            any_report,
        ),
    ]
}

fn draw(name: &str, report: &Report, options: &Options) -> Result<PathBuf, Failed> {
    let file = tool::results_folder().join(format!("{name}.svg"));
    flamegraph::write(report, options, &mut fs::File::create(&file)?)?;
    Ok(file)
}

/// What a browser sees of `graphs`, after a click on the first box with `word` in its name and a search for it.
fn open(word: &str, graphs: Vec<PathBuf>) -> Result<Vec<Value>, Failed> {
    let mut arguments = vec![tool::results_folder(), PathBuf::from(word)];
    arguments.extend(graphs);
    let results: Vec<Value> = serde_json::from_str(&tool::browse("flamegraph.mjs", arguments)?)?;
    for result in &results {
        assert_eq!(result["errors"], serde_json::json!([]), "{result}");
    }
    Ok(results)
}

fn zoom_and_search() -> Result<(), Failed> {
    let graph = draw("live-bytes", &samples::search_service(), &Options::new())?;
    let result = open("search::index::load", vec![graph])?.remove(0);
    let seen = |at: &str, what: &str| result[at][what].as_f64().unwrap_or(-1.0);
    let (widest, zoomed) = (seen("before", "widest"), result["width"].as_f64());
    assert!(widest > 1000.0, "{result}");
    // The box that was clicked on takes the whole width, and boxes beside it are hidden.
    assert!(
        zoomed.is_some_and(|zoomed| (zoomed - widest).abs() < 1.0),
        "{result}"
    );
    assert!(
        seen("zoomed", "visible") < seen("before", "visible"),
        "{result}"
    );
    // "Reset Zoom" brings all of them back.
    assert_eq!(seen("searched", "visible"), seen("before", "visible"));
    assert_eq!(result["searched"]["matched"], "Matched: 72.1%");
    Ok(())
}

fn any_report() -> Result<(), Failed> {
    let service = samples::search_service();
    let allocated = Options::new().value(Shown::AllocatedBlocks);
    let mut empty = service.clone().into_parts().0;
    empty.sites.clear();
    let (mut snapshot, symbols) = service.clone().into_parts();
    snapshot.sites[0].live.bytes *= 0.4;
    snapshot.sites[1].live.bytes = 0.0;
    snapshot.sites[2].live.bytes *= 3.0;
    snapshot.sites[4].live.bytes *= 1.8;
    let later = Report::from_parts(snapshot, symbols).with_modules(service.modules().clone());
    let both = tool::results_folder().join("two-reports.svg");
    let mut out = fs::File::create(&both)?;
    flamegraph::write_change(&service, &later, &Options::new(), &mut out)?;
    let graphs = vec![
        draw("allocated-blocks", &service, &allocated)?,
        draw("troubled", &samples::troubled(), &Options::new())?,
        draw("change", &samples::change(), &Options::new())?,
        both,
        draw("hostile", &samples::hostile(), &Options::new())?,
        draw("many-sites", &samples::many_sites(50_000), &Options::new())?,
        draw("empty", &Report::without_names(empty), &Options::new())?,
    ];
    let mut results = open("main", graphs)?;
    let empty = results.pop().ok_or("there is a result for each")?;
    assert_eq!(empty["before"]["text"], true, "{empty}");
    for result in results {
        assert!(result["before"]["boxes"].as_u64() > Some(1), "{result}");
    }
    Ok(())
}

//! The built-in report, in Chromium.

use std::path::PathBuf;
use std::time::Duration;
use std::{fs, io};

use libtest_mimic::{Failed, Trial};
use unkai_core::Snapshot;
use unkai_report::{Report, html};

use crate::samples;
use crate::tool::{Tool, browse, results_folder, trial};

pub(crate) fn tests() -> Vec<Trial> {
    let browser = [Tool::Browser];
    vec![
        trial(
            "html: a report is read, searched, sorted and zoomed",
            &browser,
            || {
                check(
                    "use",
                    "html-shop",
                    &samples::web_shop(),
                    "web shop, Friday evening",
                )
            },
        ),
        trial("html: totals are those of the snapshot", &browser, || {
            check(
                "totals",
                "html-search",
                &samples::search_service(),
                "search",
            )
        }),
        trial(
            "html: a difference shows growth and shrinkage",
            &browser,
            || check("difference", "html-difference", &change(), "web shop"),
        ),
        trial("html: troubles come first", &browser, || {
            check("troubled", "html-troubled", &samples::troubled(), "search")
        }),
        trial("html: no name becomes an element or runs", &browser, || {
            check(
                "hostile",
                "html-hostile",
                &samples::hostile(),
                "</title><img src=x onerror=alert(1)>",
            )
        }),
        trial("html: a report of nothing says so", &browser, || {
            let empty = Snapshot::empty(samples::search_service().snapshot().taken_at);
            check(
                "empty",
                "html-empty",
                &Report::without_names(empty),
                "nothing",
            )
        }),
        trial("html: stacks of absurd depth are shown", &browser, || {
            check("deep", "html-deep", &deep(), "deep")
        }),
        trial("html: 50,000 call stacks stay smooth", &browser, || {
            check("large", "html-large", &samples::many_sites(50_000), "large")
        }),
    ]
}

/// Opens `report` in Chromium and has the script run the part `what` of its checks.
fn check(what: &str, name: &str, report: &Report, title: &str) -> Result<(), Failed> {
    let page = page(name, report, title)?;
    let totals = &report.snapshot().totals;
    let expected = [
        totals.live_bytes().to_string(),
        totals.allocated.bytes.to_string(),
        totals.freed.bytes.to_string(),
        totals.peak_live_bytes.to_string(),
    ];
    let arguments = [
        what.to_owned(),
        page.display().to_string(),
        results_folder().join(name).display().to_string(),
        title.to_owned(),
        expected.join(","),
    ];
    print!("{}", browse("html.mjs", arguments)?);
    Ok(())
}

fn page(name: &str, report: &Report, title: &str) -> io::Result<PathBuf> {
    let path = results_folder().join(format!("{name}.html"));
    let mut file = fs::File::create(&path)?;
    html::write(report, &html::Options::new().title(title), &mut file)?;
    Ok(path)
}

/// The web shop within a quarter of an hour: some sites grew, some shrank.
fn change() -> Report {
    let (later, symbols) = samples::web_shop().into_parts();
    let mut earlier = later.clone();
    earlier.uptime -= Duration::from_secs(900);
    for (number, site) in earlier.sites.iter_mut().enumerate() {
        let part = [1.0, 0.8, 1.0, 1.25, 0.4, 1.0, 0.9][number % 7];
        let came = if part == 1.0 { 1.0 } else { 0.97 };
        site.live.bytes *= part;
        site.live.blocks *= part;
        site.live.bytes_variance *= part;
        site.allocated.bytes *= came;
        site.allocated.blocks *= came;
        site.allocated.bytes_variance *= came;
        site.lifetimes.buckets = site.lifetimes.buckets.map(|blocks| blocks * came);
        site.live.samples = (site.live.samples as f64 * part) as i64;
        site.allocated.samples = (site.allocated.samples as f64 * came) as i64;
    }
    earlier.totals.allocated.bytes = earlier.totals.allocated.bytes / 1000 * 970;
    earlier.totals.allocated.blocks = earlier.totals.allocated.blocks / 1000 * 970;
    earlier.totals.freed.bytes = earlier.totals.freed.bytes / 1000 * 971;
    earlier.totals.freed.blocks = earlier.totals.freed.blocks / 1000 * 971;
    Report::from_parts(later.since(&earlier), symbols)
}

/// One stack of 30,000 frames.
fn deep() -> Report {
    let mut snapshot = samples::search_service().into_parts().0;
    snapshot.sites.truncate(1);
    snapshot.sites[0].stack = (0..30_000).map(|frame| 0x1000 + frame % 7).collect();
    Report::without_names(snapshot)
}

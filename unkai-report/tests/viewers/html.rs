//! The built-in report, in Chromium.

use std::fs;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use unkai_core::{Estimate, Site, Snapshot};
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
        trial(
            "html: leak suspects are told with their reasons",
            &browser,
            || {
                let report = samples::web_shop();
                let earlier = growth(report.snapshot());
                let options = html::Options::new().title("web shop").earlier(&earlier);
                check_with("suspects", "html-suspects", &report, "web shop", &options)
            },
        ),
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
    check_with(
        what,
        name,
        report,
        title,
        &html::Options::new().title(title),
    )
}

fn check_with(
    what: &str,
    name: &str,
    report: &Report,
    title: &str,
    options: &html::Options<'_>,
) -> Result<(), Failed> {
    let page = results_folder().join(format!("{name}.html"));
    html::write(report, options, &mut fs::File::create(&page)?)?;
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

/// Five earlier snapshots of a program in which sessions pile up.
fn growth(now: &Snapshot) -> Vec<Snapshot> {
    let minutes = (1..=5).rev();
    let before = minutes.map(|minutes| {
        let mut earlier = now.clone();
        earlier.uptime -= Duration::from_secs(600 * minutes);
        let part = 1.0 - 0.15 * minutes as f64;
        // Only these are so old, and so many.
        let is_session =
            |site: &&mut Site| (1_500.0..1_600.0).contains(&(site.live.bytes / site.live.blocks));
        for site in earlier.sites.iter_mut().filter(is_session) {
            shrink(&mut site.live, part);
            shrink(&mut site.allocated, part);
        }
        earlier
    });
    before.collect()
}

/// Takes an estimate back to this part of it.
fn shrink(estimate: &mut Estimate, part: f64) {
    estimate.samples = (estimate.samples as f64 * part) as i64;
    estimate.bytes *= part;
    estimate.blocks *= part;
    estimate.bytes_variance *= part;
    estimate.blocks_variance *= part;
}

/// The web shop within a quarter of an hour: some sites grew, some shrank.
fn change() -> Report {
    let (later, symbols) = samples::web_shop().into_parts();
    let mut earlier = later.clone();
    earlier.uptime -= Duration::from_secs(900);
    for (number, site) in earlier.sites.iter_mut().enumerate() {
        let part = [1.0, 0.8, 1.0, 1.25, 0.4, 1.0, 0.9][number % 7];
        shrink(&mut site.live, part);
        if part != 1.0 {
            shrink(&mut site.allocated, 0.97);
            site.lifetimes.buckets = site.lifetimes.buckets.map(|blocks| blocks * 0.97);
        }
    }
    let change = later.since(&earlier);
    let sum = |value: fn(&Site) -> f64| change.sites.iter().map(value).sum::<f64>() as u64;
    let (bytes, blocks) = (
        sum(|site| site.allocated.bytes),
        sum(|site| site.allocated.blocks),
    );
    let grown = sum(|site| site.live.bytes);
    let more = sum(|site| site.live.blocks);
    earlier.totals.allocated.bytes -= bytes;
    earlier.totals.allocated.blocks -= blocks;
    earlier.totals.freed.bytes -= bytes - grown;
    earlier.totals.freed.blocks -= blocks - more;
    Report::from_parts(later.since(&earlier), symbols)
}

/// One stack of 30,000 frames.
fn deep() -> Report {
    let mut snapshot = samples::search_service().into_parts().0;
    snapshot.sites.truncate(1);
    snapshot.sites[0].stack = (0..30_000).map(|frame| 0x1000 + frame % 7).collect();
    Report::without_names(snapshot)
}

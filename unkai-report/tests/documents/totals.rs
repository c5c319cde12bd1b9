//! The same total in every format: the sum of what the sites hold.

use std::io;

use serde_json::Value as Json;
use unkai_report::{
    Report, dhat, flamegraph, folded, html, json, pprof, prometheus, speedscope, text, units,
};

use crate::openmetrics;
use crate::pprof::decoded::Decoded;
use crate::samples;

fn written(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out).expect("a Vec takes it");
    out
}

fn text_of(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
    String::from_utf8(written(write)).expect("it is text")
}

fn parsed(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> Json {
    serde_json::from_slice(&written(write)).expect("it is JSON")
}

fn live_bytes(report: &Report) -> f64 {
    let sites = report.snapshot().sites.iter();
    sites.map(|site| site.live.bytes).sum()
}

#[test]
fn every_format_has_the_same_live_bytes() {
    for report in [samples::search_service(), samples::web_shop()] {
        let sum = live_bytes(&report);
        let people = units::bytes(sum);

        let plain = text_of(|out| text::write(&report, &text::Options::new(), out));
        assert!(plain.contains(&format!(" sites, together {people} (")));
        let svg = text_of(|out| flamegraph::write(&report, &flamegraph::Options::new(), out));
        assert!(svg.contains(&format!("Live bytes: {people} ")));

        let lines = text_of(|out| folded::write(&report, &folded::Options::new(), out));
        let values = lines.lines().filter_map(|line| line.rsplit_once(' '));
        let values: Vec<f64> = values.map(|(_, value)| value.parse().unwrap()).collect();
        // Each line is rounded by itself.
        let rounding = values.len() as f64 / 2.0;
        assert!((values.iter().sum::<f64>() - sum).abs() <= rounding);

        let profile = written(|out| pprof::write(&report, &pprof::Options::new(), out));
        assert_eq!(Decoded::of(&profile).totals()[3], sum.round() as i64);
        let profile = parsed(|out| dhat::write(&report, &dhat::Options::new(), out));
        let points = profile["pps"].as_array().expect("it is a list");
        let at_end: u64 = points.iter().filter_map(|point| point["eb"].as_u64()).sum();
        assert_eq!(at_end, sum.round() as u64);
        let profile = parsed(|out| speedscope::write(&report, &speedscope::Options::new(), out));
        assert_eq!(
            profile["profiles"][0]["endValue"].as_u64(),
            Some(sum.round() as u64)
        );

        let document = written(|out| json::write(&report, &json::Options::new(), out));
        assert_eq!(
            live_bytes(&json::read(&document[..]).expect("it comes back")),
            sum
        );
        let page = text_of(|out| html::write(&report, &html::Options::new(), out));
        let (_, data) = page.split_once("id=\"data\">").expect("the data is there");
        let (data, _) = data.split_once("</script>").expect("it ends");
        let data: Json = serde_json::from_str(data).expect("it is JSON");
        let bytes = data["sites"]["live"]["bytes"]
            .as_array()
            .expect("it is a list");
        let bytes: f64 = bytes.iter().filter_map(Json::as_f64).sum();
        assert!((bytes - sum).abs() <= report.snapshot().sites.len() as f64 / 2.0);

        let metrics = text_of(|out| prometheus::write(&report, &prometheus::Options::new(), out));
        let series = openmetrics::read(&metrics).into_iter();
        let sites = series.filter(|series| series.name == "unkai_site_live_bytes");
        let bytes: f64 = sites.map(|series| series.value).sum();
        assert!((bytes - sum).abs() < 1.0, "{bytes} of {sum}");
    }
}

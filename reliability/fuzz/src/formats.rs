//! Every format, and what each must be for any report.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::Value as Json;
use unkai_report::{
    Report, Value, dhat, flamegraph, folded, html, json, pprof, prometheus, speedscope, text,
};

use crate::openmetrics;
use crate::text::does_not_act;

const FINE: &str = "a Vec takes all";

/// Writes `report` in one of the formats, as `choice` says; all come in turn. Panics if it is not well-formed.
pub fn is_well_formed(report: &Report, choice: usize) {
    match choice % 8 {
        0 => {
            let options = text::Options::new();
            for line in written(|out| text::write(report, &options, out)).lines() {
                does_not_act("a line of text", line);
            }
            text::write(report, &options.color(true), &mut std::io::sink()).expect(FINE);
        }
        1 => page(&written(|out| {
            html::write(report, &html::Options::new(), out)
        })),
        2 => {
            let options = flamegraph::Options::new().value(Value::AllocatedBlocks);
            xml(&written(|out| flamegraph::write(report, &options, out)));
        }
        3 => {
            let options = folded::Options::new();
            for line in written(|out| folded::write(report, &options, out)).lines() {
                let (stack, number) = line.rsplit_once(' ').expect(line);
                does_not_act("a folded stack", stack);
                assert!(!stack.split(';').any(str::is_empty), "{line:?}");
                assert!(number.parse::<i64>().is_ok(), "{line:?}");
            }
        }
        4 => {
            let options = pprof::Options::new().compressed(false);
            pprof::write(report, &options, &mut std::io::sink()).expect(FINE);
        }
        5 => {
            let document = written(|out| dhat::write(report, &dhat::Options::new(), out));
            serde_json::from_str::<Json>(&document).expect("DHAT's is JSON");
            let options = speedscope::Options::new();
            let document = written(|out| speedscope::write(report, &options, out));
            serde_json::from_str::<Json>(&document).expect("speedscope's is JSON");
        }
        6 => {
            let mut text = Vec::new();
            match prometheus::write(report, &prometheus::Options::new(), &mut text) {
                Err(_) => assert!(report.snapshot().window.is_some()),
                Ok(()) => drop(metrics(&String::from_utf8(text).expect("it is UTF-8"))),
            }
        }
        _ => {
            // What was written is read as it was, and the second time nothing is left to change.
            let document = written(|out| json::write(report, &json::Options::new(), out));
            let again = json::read(document.as_bytes()).expect("what was written can be read");
            let rewritten = written(|out| json::write(&again, &json::Options::new(), out));
            assert_eq!(document, rewritten);
        }
    }
}

/// Name, labels and value of each series in a document of metrics. Panics if it is not well-formed.
pub fn metrics(document: &str) -> Vec<(String, BTreeMap<String, String>, f64)> {
    let series = openmetrics::read(document).into_iter();
    series
        .map(|series| {
            (
                series.name,
                series.labels.into_iter().collect(),
                series.value,
            )
        })
        .collect()
}

/// A choice that hangs on all of `input`.
pub fn choice(input: &[u8]) -> usize {
    input.iter().map(|&byte| usize::from(byte)).sum()
}

/// What is written, which is text.
pub fn written(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).expect(FINE);
    String::from_utf8(out).expect("it is UTF-8")
}

/// Nothing of the data gets out of its element, and it is JSON.
fn page(page: &str) {
    let (before, behind) = page
        .split_once("<script type=\"application/json\" id=\"data\">")
        .expect("the page has data");
    let (data, after) = behind.split_once("</script>").expect("which ends");
    assert!(!data.contains(['<', '>', '&', '\u{2028}', '\u{2029}']));
    serde_json::from_str::<Json>(data).expect("the data is JSON");
    assert_eq!(before.matches("<title").count(), 1);
    assert_eq!(before.matches("</title").count(), 1);
    assert_eq!(
        after.matches("<script").count(),
        after.matches("</script").count()
    );
    assert!(after.trim_end().ends_with("</html>"));
}

/// Elements match, attributes are quoted and come once, and no entity is unknown.
fn xml(document: &str) {
    let mut reader = Reader::from_str(document);
    reader.config_mut().check_end_names = true;
    let mut depth = 0_i64;
    loop {
        let event = reader
            .read_event()
            .unwrap_or_else(|error| panic!("{error}: {document}"));
        match &event {
            Event::Start(element) | Event::Empty(element) => {
                for attribute in element.attributes() {
                    let attribute = attribute.expect("an attribute");
                    let value = std::str::from_utf8(&attribute.value).expect("UTF-8");
                    quick_xml::escape::unescape(value).expect("known entities");
                    assert!(!value.contains('<'), "{value}");
                }
                depth += i64::from(matches!(event, Event::Start(_)));
            }
            Event::End(_) => depth -= 1,
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(depth, 0, "{document}");
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    assert!(
        document.chars().all(allowed),
        "a character that XML has not"
    );
}

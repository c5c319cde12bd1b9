//! Any bytes are read as a tree of scopes or refused, and a tree that was read can be written: as text that does not act, as
//! metrics that are well-formed and say for each path what its scopes hold together, and as a document that is read as it was.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use serde_json::json;
use unkai_fuzz::formats::{metrics, written};
use unkai_fuzz::text::does_not_act;
use unkai_report::printable;
use unkai_report::scopes::json::ScopeRecord;
use unkai_report::scopes::{self, prometheus, text};

fuzz_target!(|document: &[u8]| {
    let Ok(tree) = scopes::json::read(document) else {
        return;
    };
    let width = 80 + document.len() % 100;
    let options = text::Options::new().width(width);
    for line in written(|out| text::write_record(&tree, &options, out)).lines() {
        does_not_act("a line of text", line);
    }

    let options = prometheus::Options::new();
    let series = metrics(&written(|out| {
        prometheus::write_record(&tree, &options, out)
    }));
    let used: BTreeMap<String, f64> = series
        .into_iter()
        .filter(|(name, ..)| name == "unkai_scope_used_bytes")
        .map(|(_, labels, value)| (labels["scope"].clone(), value))
        .collect();
    let mut expected = BTreeMap::new();
    add_up(&tree, &mut expected);
    let expected = expected
        .into_iter()
        .map(|(path, bytes)| (path, bytes as f64));
    assert_eq!(used, expected.collect());

    let mut again = serde_json::to_value(&tree).expect("it is plain data");
    again["schema"] = json!("unkai.scopes");
    again["version"] = json!(1);
    let again = scopes::json::read(again.to_string().as_bytes());
    assert_eq!(again.expect("what was written can be read"), tree);
});

/// Bytes in use, for each path as it is shown.
fn add_up(scope: &ScopeRecord, sums: &mut BTreeMap<String, u64>) {
    let sum = sums.entry(printable(&scope.path).into_owned()).or_default();
    *sum = sum.saturating_add(scope.used_bytes);
    for child in &scope.children {
        add_up(child, sums);
    }
}

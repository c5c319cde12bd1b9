//! Metrics: one series for a path, and values that agree with the snapshot.

use std::collections::BTreeMap;

use unkai_core::{Bounds, Scope, ScopeSnapshot, TreeSnapshot};
use unkai_report::scopes::prometheus::{self, Options};

use super::tree::Tree;
use crate::golden::check;

pub(super) fn metrics(snapshot: &TreeSnapshot) -> String {
    written(snapshot, &Options::new())
}

fn written(snapshot: &TreeSnapshot, options: &Options) -> String {
    let mut out = Vec::new();
    prometheus::write(snapshot, options, &mut out).expect("a Vec takes it");
    String::from_utf8(out).expect("metrics are UTF-8")
}

fn escaped(path: &str) -> String {
    let path = unkai_report::printable(path).replace('\\', "\\\\");
    path.replace('"', "\\\"")
}

/// The value of each series, by its name and labels.
fn series(metrics: &str) -> BTreeMap<&str, &str> {
    let mut series = BTreeMap::new();
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        assert_eq!(series.insert(name, value), None, "{name} occurs twice");
    }
    series
}

#[test]
fn the_metrics_are_as_agreed() {
    let out = metrics(&Tree::search_service().snapshot());
    check("scopes.prometheus.txt", out.as_bytes());
}

#[test]
fn each_value_is_the_sum_over_the_scopes_of_the_path() {
    let snapshot = Tree::search_service().snapshot();
    let out = metrics(&snapshot);
    let series = series(&out);
    let mut values = 0;
    for (metric, value) in [
        (
            "used_bytes",
            (|scope| scope.used) as fn(&ScopeSnapshot) -> usize,
        ),
        ("reserved_bytes", |scope| scope.reserved),
        ("peak_bytes", |scope| scope.peak),
        ("blocks", |scope| scope.blocks),
        ("waiting", |scope| scope.waiting),
        ("refused_total", |scope| scope.refused as usize),
        ("high_total", |scope| scope.high_events as usize),
        ("reclaimed_bytes_total", |scope| {
            scope.reclaimed_bytes as usize
        }),
        ("waits_total", |scope| scope.waits as usize),
    ] {
        let mut sums = BTreeMap::<&str, usize>::new();
        for scope in snapshot.scopes() {
            *sums.entry(scope.path()).or_default() += value(scope);
        }
        for (path, sum) in sums {
            let name = format!("unkai_scope_{metric}{{scope=\"{}\"}}", escaped(path));
            assert_eq!(series.get(&*name), Some(&&*sum.to_string()), "{name}");
            values += 1;
        }
    }
    assert!(values > 9 * 10, "{values}");
}

#[test]
#[cfg(feature = "json")]
fn metrics_and_json_agree() {
    use unkai_report::scopes::json::{self, ScopeRecord};

    fn add(record: &ScopeRecord, sums: &mut BTreeMap<String, [u64; 4]>) {
        let sum = sums.entry(escaped(&record.path)).or_default();
        let parts = [
            record.used_bytes,
            record.peak_bytes,
            record.blocks,
            record.refused,
        ];
        sum.iter_mut()
            .zip(parts)
            .for_each(|(sum, part)| *sum += part);
        record.children.iter().for_each(|child| add(child, sums));
    }
    let snapshot = Tree::search_service().snapshot();
    let record = json::read(&super::json::document(&snapshot)[..]).expect("it is our own");
    let mut sums = BTreeMap::new();
    add(&record, &mut sums);
    let out = metrics(&snapshot);
    let series = series(&out);
    for (path, sums) in sums {
        let names = ["used_bytes", "peak_bytes", "blocks", "refused_total"];
        for (name, sum) in names.into_iter().zip(sums) {
            let name = format!("unkai_scope_{name}{{scope=\"{path}\"}}");
            assert_eq!(series.get(&*name), Some(&&*sum.to_string()), "{name}");
        }
    }
}

#[test]
fn a_thousand_scopes_of_one_path_are_one_series() {
    let process = Scope::root("process")
        .build()
        .expect("nothing is guaranteed");
    let queries: Vec<_> = (0..1000)
        .map(|_| {
            let query = process.child("query").limit(10).build();
            let query = query.expect("nothing is guaranteed");
            query.try_reserve(7).expect("there is room")
        })
        .collect();
    let out = metrics(&process.snapshot(Bounds::all()));
    let series_of = series(&out);
    let value = |name: &str| series_of.get(&*format!("{name}{{scope=\"process/query\"}}"));
    assert_eq!(value("unkai_scope_used_bytes"), Some(&"7000"));
    assert_eq!(value("unkai_scope_limit_bytes"), Some(&"10000"));
    assert_eq!(series_of.len(), 2 * 10 + 1);

    let unlimited = process.child("query").build();
    let out = metrics(&process.snapshot(Bounds::all()));
    assert!(!out.contains("unkai_scope_limit_bytes"), "{out}");
    drop((queries, unlimited));
}

#[test]
fn more_metrics_may_follow_where_the_end_is_left_out() {
    let snapshot = Tree::search_service().snapshot();
    let open = written(&snapshot, &Options::new().end(false));
    assert_eq!(format!("{open}# EOF\n"), metrics(&snapshot));
}

//! Metrics of heap profiles: right values, bounded series, names that stay within their labels.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use unkai_core::{Bounds, Scope, Site, Snapshot};
use unkai_report::prometheus::{self, HeapCollector, Options};
use unkai_report::scopes::prometheus::ScopesCollector;
use unkai_report::{NameCache, Report, SourceFunction};

use crate::golden::check;
use crate::openmetrics::{Series, read};
use crate::samples;

const OTHERS: &str = "(other sites)";

fn written(report: &Report, options: &Options) -> String {
    let mut out = Vec::new();
    prometheus::write(report, options, &mut out).expect("a Vec takes it");
    String::from_utf8(out).expect("metrics are UTF-8")
}

fn scraped(registry: &Registry) -> String {
    let mut text = String::new();
    encode(&mut text, registry).expect("a String takes it");
    text
}

fn registry_of(collector: HeapCollector) -> Registry {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(collector));
    registry
}

/// The value of the one series of this name whose first label is `label`, if it has labels.
fn value(series: &[Series], name: &str, label: &str) -> Option<f64> {
    let mut found = series.iter().filter(|series| {
        let first = series.labels.first();
        series.name == name && first.map_or("", |first| &first.1) == label
    });
    let value = found.next()?.value;
    assert_eq!(found.next(), None, "{name} {label}");
    Some(value)
}

fn named<'s>(series: &'s [Series], name: &str) -> Vec<&'s Series> {
    series.iter().filter(|series| series.name == name).collect()
}

/// The value of a label; an empty one is none.
fn label<'s>(series: &'s Series, name: &str) -> &'s str {
    let label = series.labels.iter().find(|label| label.0 == name);
    label.map_or("", |label| &label.1)
}

fn sum(series: &[Series], name: &str) -> f64 {
    named(series, name).iter().map(|series| series.value).sum()
}

fn assert_close(actual: f64, expected: f64) {
    let error = (actual - expected).abs();
    assert!(error <= expected.abs() * 1e-9, "{actual} is not {expected}");
}

/// Knows what `report` knows.
fn names_of(report: &Report) -> impl FnMut(u64) -> Vec<SourceFunction> + Send + 'static {
    let mut functions: HashMap<u64, Vec<SourceFunction>> = HashMap::new();
    for site in &report.snapshot().sites {
        for frame in report.call_stack(site) {
            let Some(function) = frame.function else {
                continue;
            };
            // Given anew by each site: none of these samples has inlined functions.
            let function = SourceFunction {
                name: function.raw_name().unwrap_or(function.name()).to_owned(),
                file: function.file().map(str::to_owned),
                line: frame.line,
            };
            functions.insert(frame.address - 1, vec![function]);
        }
    }
    move |address| functions.get(&address).cloned().unwrap_or_default()
}

#[test]
fn the_metrics_are_as_agreed() {
    let out = written(&samples::search_service(), &Options::new());
    check("search-service.prometheus.txt", out.as_bytes());
    let out = written(&samples::troubled(), &Options::new());
    check("troubled.prometheus.txt", out.as_bytes());
}

#[test]
fn values_are_those_of_the_snapshot() {
    for report in [samples::search_service(), samples::troubled()] {
        let series = read(&written(&report, &Options::new()));
        let snapshot = report.snapshot();
        let totals = &snapshot.totals;
        for (name, expected) in [
            ("unkai_live_bytes", totals.live_bytes() as f64),
            ("unkai_live_blocks", totals.live_blocks() as f64),
            ("unkai_peak_live_bytes", totals.peak_live_bytes as f64),
            ("unkai_peak_error_bytes", totals.peak_error_bytes as f64),
            ("unkai_allocated_bytes_total", totals.allocated.bytes as f64),
            ("unkai_allocations_total", totals.allocated.blocks as f64),
            ("unkai_freed_bytes_total", totals.freed.bytes as f64),
            ("unkai_frees_total", totals.freed.blocks as f64),
            (
                "unkai_refused_requests_total",
                totals.refused_requests as f64,
            ),
            ("unkai_uptime_seconds", snapshot.uptime.as_secs_f64()),
        ] {
            assert_eq!(value(&series, name, ""), Some(expected), "{name}");
        }
        let resident = snapshot.resident_bytes.map(|bytes| bytes as f64);
        assert_eq!(value(&series, "unkai_resident_bytes", ""), resident);
        let causes = named(&series, "unkai_losses_total");
        let counts: Vec<f64> = causes.iter().map(|series| series.value).collect();
        let expected: Vec<f64> = snapshot.losses.iter().map(|loss| loss.1 as f64).collect();
        assert_eq!(counts, expected);
        let own = snapshot.own_memory;
        assert_eq!(
            sum(&series, "unkai_own_memory_bytes"),
            own.used_bytes() as f64
        );
        let entries = value(&series, "unkai_table_entries", "live_blocks");
        assert_eq!(entries, Some(own.live_blocks.entries as f64));
        let capacity = value(&series, "unkai_table_capacity", "stacks");
        assert_eq!(capacity, Some(own.stacks.capacity as f64));
    }
}

#[test]
fn the_sites_and_the_others_are_the_whole_estimate() {
    for (report, top) in [
        (samples::search_service(), 20),
        (samples::search_service(), 2),
        (samples::troubled(), 1),
        (samples::many_sites(3000), 20),
    ] {
        let series = read(&written(&report, &Options::new().top_sites(top)));
        let whole =
            |value: fn(&Site) -> f64| report.snapshot().sites.iter().map(value).sum::<f64>();
        assert_close(
            sum(&series, "unkai_site_live_bytes"),
            whole(|site| site.live.bytes),
        );
        assert_close(
            sum(&series, "unkai_site_live_blocks"),
            whole(|site| site.live.blocks),
        );
        let errors = named(&series, "unkai_site_live_error_bytes");
        let variance: f64 = errors
            .iter()
            .map(|error| (error.value / 1.96).powi(2))
            .sum();
        assert_close(variance, whole(|site| site.live.bytes_variance));
        if top == 20 && value(&series, "unkai_site_live_bytes", OTHERS).is_none() {
            let allocated = sum(&series, "unkai_site_allocated_bytes_total");
            assert_close(allocated, whole(|site| site.allocated.bytes));
        }
    }
}

#[test]
fn stacks_with_the_same_function_and_place_are_one_series() {
    let (mut snapshot, symbols) = samples::search_service().into_parts();
    let whole: f64 = snapshot.sites.iter().map(|site| site.live.bytes).sum();
    // The same calls, from another caller.
    let mut again = snapshot.sites.clone();
    for site in &mut again {
        site.id += 1000;
        site.stack.push(0xdead_0000);
    }
    snapshot.sites.extend(again);
    let once = read(&written(&samples::search_service(), &Options::new()));
    let twice = read(&written(
        &Report::from_parts(snapshot, symbols),
        &Options::new(),
    ));
    assert_eq!(twice.len(), once.len());
    assert_close(sum(&twice, "unkai_site_live_bytes"), 2.0 * whole);
}

#[test]
fn there_are_no_more_series_than_promised() {
    let report = samples::many_sites(50_000);
    let start = Instant::now();
    let series = read(&written(&report, &Options::new()));
    println!("50,000 sites: {:?}", start.elapsed());
    let of_sites = |series: &&Series| series.name.starts_with("unkai_site_");
    assert_eq!(series.iter().filter(of_sites).count(), 103);
    assert_eq!(series.len(), 103 + 38);
    assert_eq!(named(&series, "unkai_site_live_bytes").len(), 21);
    assert_eq!(named(&series, "unkai_site_allocated_bytes_total").len(), 20);
    let others = value(&series, "unkai_site_allocated_bytes_total", OTHERS);
    assert_eq!(others, None, "it would fall");

    // The largest ones have been chosen.
    let all = read(&written(&report, &Options::new().top_sites(usize::MAX)));
    for name in ["unkai_site_live_bytes", "unkai_site_allocated_bytes_total"] {
        let mut values: Vec<f64> = named(&all, name)
            .iter()
            .map(|series| series.value)
            .collect();
        values.sort_by(|a, b| b.total_cmp(a));
        let chosen = named(&series, name);
        let chosen = chosen
            .iter()
            .filter(|series| label(series, "function") != OTHERS);
        let chosen: Vec<f64> = chosen.map(|series| series.value).collect();
        assert_eq!(chosen, values[..20]);
    }
    let none = read(&written(&report, &Options::new().top_sites(0)));
    assert_eq!(none.len(), 38);
}

#[test]
fn no_name_breaks_out_of_its_label() {
    let series = read(&written(&samples::hostile(), &Options::new()));
    let sites = named(&series, "unkai_site_live_bytes");
    let functions: Vec<&str> = sites.iter().map(|site| label(site, "function")).collect();
    for name in [
        "my_app::\"double\" & 'single' `back`\\",
        "my_app::line\u{fffd}break\u{fffd}\u{fffd}and\u{fffd}tab",
        "my_app::ünïcødé→🦀",
        "my_app::\u{fffd}[31mred\u{fffd}turned",
    ] {
        assert!(functions.contains(&name), "{name} is not in {functions:#?}");
    }
    for site in sites {
        assert!(label(site, "function").chars().count() <= 120);
        assert!(label(site, "place").chars().count() <= 120);
    }
    let cut: Vec<&&str> = functions
        .iter()
        .filter(|name| name.ends_with("xxx…"))
        .collect();
    assert_eq!(cut.len(), 1, "{functions:#?}");
}

#[test]
fn a_function_of_that_name_is_one_of_the_other_sites() {
    let (mut snapshot, mut symbols) = samples::search_service().into_parts();
    let function = SourceFunction {
        name: OTHERS.to_owned(),
        file: None,
        line: None,
    };
    symbols.insert(7, &[function]);
    let mut site = Site::new(77, vec![7]);
    site.live.bytes = 1e12;
    snapshot.sites.push(site);
    let series = read(&written(
        &Report::from_parts(snapshot, symbols),
        &Options::new().top_sites(1),
    ));
    let others = value(&series, "unkai_site_live_bytes", OTHERS);
    assert!(others > Some(1e12), "{others:?}");
}

#[test]
fn what_is_not_a_number_gives_no_series() {
    let (mut snapshot, symbols) = samples::search_service().into_parts();
    let whole = read(&written(
        &Report::from_parts(snapshot.clone(), symbols.clone()),
        &Options::new(),
    ));
    snapshot.sites[0].live.bytes = f64::NAN;
    snapshot.sites[1].live.bytes = f64::INFINITY;
    snapshot.sites[2].allocated.bytes = -1.0;
    snapshot.uptime = Duration::MAX;
    let report = Report::from_parts(snapshot, symbols);
    for top in [1, 3, 20] {
        let series = read(&written(&report, &Options::new().top_sites(top)));
        assert!(series.iter().all(|series| series.value.is_finite()));
    }
    let series = read(&written(&report, &Options::new()));
    assert_eq!(series.len(), whole.len() - 3);
}

#[test]
fn a_difference_is_no_input_for_counters() {
    let mut out = Vec::new();
    let error = prometheus::write(&samples::change(), &Options::new(), &mut out);
    let error = error.expect_err("counters count from the start");
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert!(error.to_string().contains("difference"), "{error}");
    assert!(out.is_empty());

    let snapshot = samples::change().snapshot().clone();
    let registry = registry_of(HeapCollector::new(move || snapshot.clone(), Options::new()));
    assert!(encode(&mut String::new(), &registry).is_err());
}

#[test]
fn more_metrics_may_follow_where_the_end_is_left_out() {
    let report = samples::search_service();
    let open = written(&report, &Options::new().end(false));
    assert_eq!(format!("{open}# EOF\n"), written(&report, &Options::new()));
}

#[test]
fn a_registry_gives_the_same_as_a_report() {
    for report in [
        samples::search_service(),
        samples::troubled(),
        samples::hostile(),
    ] {
        let snapshot = report.snapshot().clone();
        let collector = HeapCollector::new(move || snapshot.clone(), Options::new());
        let registry = registry_of(collector.names(names_of(&report)));
        for _scrape in 0..2 {
            assert_eq!(scraped(&registry), written(&report, &Options::new()));
        }
    }
}

#[test]
fn one_registry_serves_the_heap_the_scopes_and_the_programs_own_metrics() {
    let process = Scope::root("process")
        .build()
        .expect("nothing is guaranteed");
    let pages = process.try_reserve(4096).expect("there is no limit");
    let snapshot = samples::search_service().snapshot().clone();
    let tree = process.clone();

    let mut registry = Registry::default();
    let requests = Counter::<u64>::default();
    registry.register("requests", "Requests served", requests.clone());
    let heap = HeapCollector::new(move || snapshot.clone(), Options::new());
    let heap = heap.names(names_of(&samples::search_service()));
    registry.register_collector(Box::new(heap));
    let scopes = ScopesCollector::new(move || tree.snapshot(Bounds::new()));
    registry.register_collector(Box::new(scopes));

    requests.inc_by(7);
    let series = read(&scraped(&registry));
    assert_eq!(value(&series, "requests_total", ""), Some(7.0));
    assert_eq!(
        value(&series, "unkai_scope_used_bytes", "process"),
        Some(4096.0)
    );
    let live = samples::search_service().snapshot().totals.live_bytes();
    assert_eq!(value(&series, "unkai_live_bytes", ""), Some(live as f64));
    drop(pages);
    let series = read(&scraped(&registry));
    assert_eq!(
        value(&series, "unkai_scope_used_bytes", "process"),
        Some(0.0)
    );
}

/// A profile that a test changes between scrapes, in a registry, and what was looked up for it.
struct Scraped {
    snapshot: Arc<Mutex<Snapshot>>,
    asked: Arc<Mutex<Vec<u64>>>,
    registry: Registry,
}

impl Scraped {
    fn new(report: &Report, options: Options) -> Self {
        let snapshot = Arc::new(Mutex::new(report.snapshot().clone()));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (source, noted) = (Arc::clone(&snapshot), Arc::clone(&asked));
        let mut names = names_of(report);
        let collector = HeapCollector::new(
            move || source.lock().expect("no test panicked").clone(),
            options,
        );
        let names = NameCache::by(move |address| {
            noted.lock().expect("no test panicked").push(address);
            names(address)
        });
        // Nothing ahead of time, so that it rests after each look-up.
        let names = Arc::new(names.ahead(Duration::ZERO));
        let registry = registry_of(collector.shared_names(names));
        Self {
            snapshot,
            asked,
            registry,
        }
    }

    fn change(&self, change: impl FnOnce(&mut Snapshot)) {
        change(&mut self.snapshot.lock().expect("no test panicked"));
    }

    fn scrape(&self) -> Vec<Series> {
        read(&scraped(&self.registry))
    }

    fn look_ups(&self) -> usize {
        self.asked.lock().expect("no test panicked").len()
    }
}

#[test]
fn each_address_is_looked_up_once_over_all_scrapes() {
    let report = samples::search_service();
    let mut addresses: Vec<u64> = report
        .snapshot()
        .sites
        .iter()
        .flat_map(|site| site.stack.clone())
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    let scraped = Scraped::new(&report, Options::new());
    let first = scraped.scrape();
    assert_eq!(scraped.look_ups(), addresses.len());
    assert_eq!(scraped.scrape(), first);
    scraped.change(|snapshot| {
        snapshot.uptime += Duration::from_secs(3600);
        snapshot.sites[0].live.bytes += 1000.0;
        // One that is known, one that is new and has no name.
        let stack = vec![0xdead_0000, snapshot.sites[0].stack[3]];
        snapshot.sites.push(Site::new(4000, stack));
    });
    for _scrape in 0..3 {
        scraped.scrape();
    }
    assert_eq!(scraped.look_ups(), addresses.len() + 1);
}

#[test]
fn what_is_new_soon_after_a_look_up_is_among_the_others_until_the_next() {
    let report = samples::search_service();
    let scraped = Scraped::new(&report, Options::new());
    scraped.scrape();
    let before = scraped.look_ups();
    scraped.change(|snapshot| {
        let mut site = Site::new(4000, vec![0xdead_0000]);
        site.live.bytes = 12_345.0;
        snapshot.sites.push(site);
    });
    // No time has passed.
    let series = scraped.scrape();
    assert_eq!(scraped.look_ups(), before);
    assert_eq!(
        value(&series, "unkai_site_live_bytes", OTHERS),
        Some(12_345.0)
    );
    scraped.change(|snapshot| snapshot.uptime += Duration::from_secs(3600));
    let series = scraped.scrape();
    assert_eq!(scraped.look_ups(), before + 1);
    assert_eq!(value(&series, "unkai_site_live_bytes", OTHERS), None);
    assert_eq!(
        value(&series, "unkai_site_live_bytes", "0xdead0000"),
        Some(12_345.0)
    );
}

#[test]
fn without_sites_nothing_is_looked_up() {
    let scraped = Scraped::new(&samples::search_service(), Options::new().top_sites(0));
    let series = scraped.scrape();
    assert_eq!(scraped.look_ups(), 0);
    assert!(
        !series
            .iter()
            .any(|series| series.name.starts_with("unkai_site_"))
    );
    assert_eq!(series.len(), 38);
}

#[test]
fn a_site_that_leaves_the_top_and_comes_back_has_not_fallen() {
    let report = samples::search_service();
    let scraped = Scraped::new(&report, Options::new().top_sites(1));
    let counters = |series: Vec<Series>| -> Vec<(String, f64)> {
        let counters = named(&series, "unkai_site_allocated_bytes_total");
        let counters = counters.into_iter();
        counters
            .map(|series| (label(series, "function").to_owned(), series.value))
            .collect()
    };
    let first = counters(scraped.scrape());
    let index = |snapshot: &Snapshot| {
        let by_bytes = |a: &&Site, b: &&Site| a.allocated.bytes.total_cmp(&b.allocated.bytes);
        let largest = snapshot
            .sites
            .iter()
            .max_by(by_bytes)
            .expect("there are sites")
            .id;
        snapshot
            .sites
            .iter()
            .position(|site| site.id == largest)
            .expect("it is one of them")
    };
    let mut largest = 0;
    scraped.change(|snapshot| {
        largest = index(snapshot);
        let other = (largest + 1) % snapshot.sites.len();
        snapshot.sites[other].allocated.bytes += 1e12;
    });
    let second = counters(scraped.scrape());
    assert_ne!(second[0].0, first[0].0);
    scraped.change(|snapshot| snapshot.sites[largest].allocated.bytes += 2e12);
    let third = counters(scraped.scrape());
    assert_eq!(third[0].0, first[0].0);
    assert_eq!((first.len(), second.len(), third.len()), (1, 1, 1));
    assert!(third[0].1 > first[0].1);
}

//! Metrics, as `promtool` and a Prometheus server read them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use unkai_core::{Bounds, Scope};
use unkai_report::prometheus::{self, Options};
use unkai_report::{Report, scopes};

use crate::openmetrics::{self, Series};
use crate::real_prometheus::{Running, Server, lint_classic};
use crate::samples;
use crate::tool::{self, Tool};

type Result<T = ()> = std::result::Result<T, Failed>;

pub(crate) fn tests() -> Vec<Trial> {
    let needs = [Tool::Prometheus];
    vec![
        tool::trial("prometheus::promtool_has_no_complaint", &needs, lint),
        tool::trial(
            "prometheus::every_label_and_value_is_read_back",
            &needs,
            read_back,
        ),
        tool::trial(
            "prometheus::a_server_agrees_with_the_program_that_it_scrapes",
            &needs,
            scrape,
        ),
    ]
}

fn written(report: &Report) -> Result<String> {
    let mut out = Vec::new();
    prometheus::write(report, &Options::new().top_sites(5), &mut out)?;
    Ok(String::from_utf8(out)?)
}

fn lint() -> Result {
    let process = Scope::root("process").limit(1 << 20).build()?;
    let mut metrics = Vec::new();
    let tree = process.snapshot(Bounds::new());
    scopes::prometheus::write(
        &tree,
        &scopes::prometheus::Options::new().end(false),
        &mut metrics,
    )?;
    let metrics = String::from_utf8(metrics)? + &written(&samples::search_service())?;
    lint_classic(&metrics)
}

/// Prometheus' own reader of OpenMetrics takes the text, and its database then holds what the snapshot says.
fn read_back() -> Result {
    for report in [
        samples::search_service(),
        samples::troubled(),
        samples::hostile(),
    ] {
        let metrics = written(&report)?;
        let expected = openmetrics::read(&metrics);
        let folder = tempfile::tempdir()?;
        let (file, data) = (folder.path().join("metrics"), folder.path().join("data"));
        let with_time = |line: &str| match line.starts_with('#') {
            true => format!("{line}\n"),
            false => format!("{line} 1700000000\n"),
        };
        fs::write(&file, metrics.lines().map(with_time).collect::<String>())?;
        let create = ["tsdb", "create-blocks-from", "openmetrics"];
        tool::output(
            "promtool",
            create.iter().map(Path::new).chain([&*file, &*data]),
        )?;
        // The database is not opened without its log.
        fs::create_dir(data.join("wal"))?;
        let dump = tool::output("promtool", [Path::new("tsdb"), Path::new("dump"), &data])?;
        let mut read = BTreeMap::new();
        for line in dump.lines() {
            let (line, _time) = line.rsplit_once(' ').ok_or("no time")?;
            let (labels, value) = line.rsplit_once(' ').ok_or("no value")?;
            read.insert(labels.to_owned(), value.parse::<f64>()?);
        }
        let expected: BTreeMap<String, f64> = expected.iter().map(dumped).collect();
        if read != expected {
            return Err(format!("read {read:#?}\nexpected {expected:#?}").into());
        }
    }
    Ok(())
}

/// As `promtool tsdb dump` writes it.
fn dumped(series: &Series) -> (String, f64) {
    let mut labels = vec![("__name__", &*series.name)];
    let own = series.labels.iter().filter(|label| !label.1.is_empty());
    labels.extend(own.map(|(name, value)| (&**name, &**value)));
    let quoted = labels.iter().map(|(name, value)| {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"");
        format!("{name}=\"{value}\"")
    });
    let quoted = quoted.collect::<Vec<_>>().join(", ");
    (format!("{{{quoted}}}"), series.value)
}

/// The example runs, a server scrapes it each few seconds, and what the server then says is what the program itself counts.
fn scrape() -> Result {
    let program = build_example()?;
    let mut program = Running::start(
        Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped()),
    )?;
    let mut said = BufReader::new(program.0.stdout.take().ok_or("no output")?).lines();
    let address = said.next().ok_or("the example said nothing")??;
    let address = address
        .strip_prefix("metrics: http://")
        .and_then(|rest| rest.strip_suffix("/metrics"));
    let server = Server::start(address.ok_or("no address")?)?;

    server.wait_for("count_over_time(up[5m]) >= 10 and up == 1")?;
    server.wait_for("unkai_scope_refused_total{scope=\"process/cache\"} > 0")?;
    let documents = "unkai_site_live_bytes{function=~\".*load_documents\"}";
    server.wait_for(&format!("sum({documents}) > 0"))?;
    let check = |expression: &str, low: f64, high: f64| -> Result {
        let value = server.query(expression)?;
        if low <= value && value <= high {
            return Ok(());
        }
        Err(format!("{expression} is {value}, not from {low} to {high}").into())
    };

    // Exact, and of one moment each: beside what the example counts, there is little in a heap.
    let rest = "(unkai_live_bytes - example_documents_bytes - example_cache_bytes)";
    check(&format!("min_over_time({rest}[1m:1s])"), 0.0, 1e6)?;
    check(&format!("max_over_time({rest}[1m:1s])"), 0.0, 1e6)?;
    let used =
        "(unkai_scope_used_bytes{scope=\"process/cache\"} - ignoring(scope) example_cache_bytes)";
    check(&format!("min_over_time({used}[1m:1s])"), 0.0, 0.0)?;
    check(&format!("max_over_time({used}[1m:1s])"), 0.0, 0.0)?;
    let limit = "unkai_scope_limit_bytes{scope=\"process/cache\"}";
    check(limit, 4_194_304.0, 4_194_304.0)?;
    // There were different moments, and all of them were compared.
    check(
        "max_over_time(example_documents_bytes[1m]) - min_over_time(example_documents_bytes[1m])",
        4e6,
        1e9,
    )?;

    // Estimates, within five standard errors.
    let errors = documents.replace("live_bytes", "live_error_bytes");
    let difference = format!("abs(sum({documents}) - sum(example_documents_bytes))");
    check(
        &format!("{difference} / sqrt(sum({errors} ^ 2)) * 1.96"),
        0.0,
        5.0,
    )?;
    check(&format!("sum({errors}) / sum({documents})"), 0.001, 0.5)?;

    check("rate(unkai_allocated_bytes_total[30s])", 1e5, 1e9)?;
    check("sum(unkai_losses_total)", 0.0, 100.0)?;
    check("unkai_sampling_interval_bytes", 65_536.0, 65_536.0)?;
    check("unkai_live_bytes / unkai_resident_bytes", 0.05, 1.0)?;
    check("max_over_time(scrape_samples_scraped[1m])", 60.0, 200.0)?;
    check("min_over_time(up[1m])", 1.0, 1.0)?;
    for query in documented_queries()? {
        server.answer(&query)?;
    }
    server.scrapes_have_no_error()?;

    drop(program.0.stdin.take());
    let status = program.0.wait()?;
    let summary = said.next().ok_or("no summary")??;
    if !status.success() || !summary.starts_with("documents: ") {
        return Err(format!("the example ended with {status}: {summary}").into());
    }
    Ok(())
}

/// Compiles the example of the package above this one, by the same Cargo.
fn build_example() -> Result<PathBuf> {
    let package = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let arguments = [
        "build",
        "--example",
        "prometheus",
        "--features",
        "prometheus",
    ];
    let said = tool::output(
        env!("CARGO"),
        arguments
            .iter()
            .chain(&["--manifest-path", package, "--message-format", "json"]),
    )?;
    for line in said.lines() {
        let message: Value = serde_json::from_str(line)?;
        let is_example = message["target"]["kind"][0] == "example";
        if let (true, Some(path)) = (is_example, message["executable"].as_str()) {
            return Ok(path.into());
        }
    }
    Err("cargo has built no example".into())
}

/// The queries that the documentation of the module recommends.
fn documented_queries() -> Result<Vec<String>> {
    let source = include_str!("../../src/prometheus.rs");
    let (_, table) = source.split_once("# Queries").ok_or("no queries")?;
    let rows = table
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with("//!"));
    let queries: Vec<String> = rows
        .filter_map(|row| Some(row.split_once("| `")?.1.split_once("` |")?.0.to_owned()))
        .collect();
    if queries.len() < 5 {
        return Err(format!("too few: {queries:?}").into());
    }
    Ok(queries)
}

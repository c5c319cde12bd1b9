//! Metrics, as `promtool` and a Prometheus server read them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use unkai_core::{Bounds, Scope};
use unkai_report::prometheus::{self, Options};
use unkai_report::{Report, scopes};

use crate::openmetrics::{self, Series};
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

/// `promtool check metrics` reads the classic format only, where the help of a counter is under its name with `_total`,
/// and `# UNIT` and `# EOF` are comments. Everything else is as it was written.
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
    let counters: Vec<&str> = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let classic = |line: &str| {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(kind @ ("HELP" | "TYPE")), Some(name), Some(text))
                if counters.contains(&name) =>
            {
                format!("# {kind} {name}_total {text}\n")
            }
            _ => format!("{line}\n"),
        }
    };
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("metrics");
    fs::write(&file, metrics.lines().map(classic).collect::<String>())?;
    let mut promtool = Command::new("promtool");
    promtool
        .args(["check", "metrics"])
        .stdin(File::open(&file)?);
    let output = promtool.output()?;
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    if !output.status.success() || !said.is_empty() {
        return Err(format!("{}: {said}", output.status).into());
    }
    Ok(())
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

/// The example runs, a server scrapes it each second, and what the server then says is what the program itself counts.
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

/// A Prometheus server of this test's own.
struct Server {
    address: String,
    _process: Running,
    _folder: tempfile::TempDir,
}

impl Server {
    /// Starts one that scrapes `target` each second.
    fn start(target: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let config = folder.path().join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
             scrape_configs: [{{job_name: example, static_configs: [{{targets: ['{target}']}}]}}]\n"
        );
        fs::write(&config, text)?;
        // Free a moment ago: the server takes no socket that is open already.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .to_string();
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .args(["--log.level=error"])
            .stdin(Stdio::null());
        let server = Self {
            address,
            _process: Running::start(&mut command)?,
            _folder: folder,
        };
        wait(|| server.get("/-/ready").is_ok())?;
        Ok(server)
    }

    /// Until `expression` has a result.
    fn wait_for(&self, expression: &str) -> Result {
        let found = wait(|| {
            let answer = self.answer(expression);
            answer.is_ok_and(|answer| answer["result"][0].is_object())
        });
        found.map_err(|_| format!("never came true: {expression}").into())
    }

    /// The value of the one series that `expression` has.
    fn query(&self, expression: &str) -> Result<f64> {
        let answer = self.answer(expression)?;
        let result = answer["result"].as_array().ok_or("no result")?;
        match &result[..] {
            [one] => Ok(one["value"][1].as_str().ok_or("no value")?.parse()?),
            other => Err(format!("{expression}: {other:?}").into()),
        }
    }

    fn answer(&self, expression: &str) -> Result<Value> {
        let mut query = String::new();
        for byte in expression.bytes() {
            query.push_str(&format!("%{byte:02x}"));
        }
        self.api(&format!("query?query={query}")).map_err(|error| {
            format!("{expression}: {}", error.message().unwrap_or_default()).into()
        })
    }

    fn scrapes_have_no_error(&self) -> Result {
        let targets = self.api("targets")?;
        let target = &targets["activeTargets"][0];
        if target["health"] != "up" || target["lastError"] != "" {
            return Err(format!("{target:#}").into());
        }
        Ok(())
    }

    fn api(&self, request: &str) -> Result<Value> {
        let mut answer: Value = serde_json::from_str(&self.get(&format!("/api/v1/{request}"))?)?;
        if answer["status"] != "success" {
            return Err(answer.to_string().into());
        }
        Ok(answer["data"].take())
    }

    /// The body of a page, if there is one.
    fn get(&self, path: &str) -> Result<String> {
        let mut connection = TcpStream::connect(&self.address)?;
        connection.set_read_timeout(Some(Duration::from_secs(20)))?;
        write!(connection, "GET {path} HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no HTTP")?;
        if !head.starts_with("HTTP/1.0 200 ") && !head.starts_with("HTTP/1.0 4") {
            return Err(head.into());
        }
        Ok(body.to_owned())
    }
}

/// A program that ends with the test, however that ends.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Result<Self> {
        Ok(Self(
            command
                .spawn()
                .map_err(|error| format!("{command:?}: {error}"))?,
        ))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error means that it has ended.
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

/// Until `condition` holds; an error after a minute and a half.
fn wait(condition: impl Fn() -> bool) -> Result {
    let start = Instant::now();
    while !condition() {
        if start.elapsed() > Duration::from_secs(90) {
            return Err("waited for too long".into());
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

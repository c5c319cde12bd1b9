//! A real Prometheus: a server of a test's own, and `promtool`. For the tests of several crates.

#![allow(dead_code, reason = "each test uses some of it")]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use serde_json::Value;

type Result<T = ()> = std::result::Result<T, Failed>;

/// `promtool check metrics` reads the classic format only, where the help of a counter is under its name with `_total`,
/// and `# UNIT` and `# EOF` are comments. Everything else is as it was written.
pub(crate) fn lint_classic(metrics: &str) -> Result {
    let counters: Vec<&str> = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    if counters.len() < 5 {
        return Err(format!("too few counters: {counters:?}").into());
    }
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

/// A Prometheus server of this test's own.
pub(crate) struct Server {
    address: String,
    _process: Running,
    _folder: tempfile::TempDir,
}

impl Server {
    /// Starts one that scrapes `target` each few seconds. Before it does, the page was read once: to find the names of a large
    /// program without optimisation, as it is then, takes longer than this server waits for an answer.
    pub(crate) fn start(target: &str) -> Result<Self> {
        get(target, "/metrics")?;
        let folder = tempfile::tempdir()?;
        let config = folder.path().join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 3s, scrape_timeout: 3s}}\n\
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
        wait(|| get(&server.address, "/-/ready").is_ok())?;
        Ok(server)
    }

    /// Until `expression` has a result.
    pub(crate) fn wait_for(&self, expression: &str) -> Result {
        let found = wait(|| {
            let answer = self.answer(expression);
            answer.is_ok_and(|answer| answer["result"][0].is_object())
        });
        found.map_err(|_| format!("never came true: {expression}").into())
    }

    /// The value of the one series that `expression` has.
    pub(crate) fn query(&self, expression: &str) -> Result<f64> {
        let answer = self.answer(expression)?;
        let result = answer["result"].as_array().ok_or("no result")?;
        match &result[..] {
            [one] => Ok(one["value"][1].as_str().ok_or("no value")?.parse()?),
            other => Err(format!("{expression}: {other:?}").into()),
        }
    }

    pub(crate) fn answer(&self, expression: &str) -> Result<Value> {
        let mut query = String::new();
        for byte in expression.bytes() {
            query.push_str(&format!("%{byte:02x}"));
        }
        self.api(&format!("query?query={query}")).map_err(|error| {
            format!("{expression}: {}", error.message().unwrap_or_default()).into()
        })
    }

    pub(crate) fn scrapes_have_no_error(&self) -> Result {
        let targets = self.api("targets")?;
        let target = &targets["activeTargets"][0];
        if target["health"] != "up" || target["lastError"] != "" {
            return Err(format!("{target:#}").into());
        }
        Ok(())
    }

    fn api(&self, request: &str) -> Result<Value> {
        let mut answer: Value =
            serde_json::from_str(&get(&self.address, &format!("/api/v1/{request}"))?)?;
        if answer["status"] != "success" {
            return Err(answer.to_string().into());
        }
        Ok(answer["data"].take())
    }
}

/// The body of a page, if there is one.
fn get(address: &str, path: &str) -> Result<String> {
    let mut connection = TcpStream::connect(address)?;
    connection.set_read_timeout(Some(Duration::from_secs(90)))?;
    write!(connection, "GET {path} HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no HTTP")?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status != "200" && !status.starts_with('4') {
        return Err(head.into());
    }
    Ok(body.to_owned())
}

/// A program that ends with the test, however that ends.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
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

/// Until `condition` holds; an error after three minutes.
fn wait(condition: impl Fn() -> bool) -> Result {
    let start = Instant::now();
    while !condition() {
        if start.elapsed() > Duration::from_secs(180) {
            return Err("waited for too long".into());
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

//! The page of metrics, as `promtool` and a Prometheus server read it.

use std::fs::{self, File};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::service::Service;
use super::{Result, client};

/// `promtool check metrics` reads the classic format only, where the help of a counter is under its name with `_total`.
pub(crate) fn lint() -> Result {
    let service = Service::started()?;
    let metrics = client::get(service.address, "/metrics");
    let metrics = metrics.text();
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
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(metrics.lines().map(classic).collect::<String>().as_bytes())?;
    let mut promtool = Command::new("promtool");
    let promtool = promtool
        .args(["check", "metrics"])
        .stdin(File::open(file.path())?);
    let output = promtool.output()?;
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    if !output.status.success() || !said.is_empty() {
        return Err(format!("{}: {said}", output.status).into());
    }
    Ok(())
}

/// A server scrapes the service each second, and knows of its heap and of its searches.
pub(crate) fn scrape() -> Result {
    let service = Service::started()?;
    let server = Server::start(service.address)?;
    server.wait_for("count_over_time(up[5m]) >= 5 and up == 1")?;
    server.wait_for("unkai_live_bytes > 16e6")?;
    server.wait_for("sum(unkai_site_live_bytes{function=~\"service::store::.*\"}) > 1e6")?;
    server.wait_for("rate(searches_total[10s]) > 1")?;
    server.wait_for("rate(unkai_allocated_bytes_total[10s]) > 1e6")?;
    let targets = server.api("targets")?;
    let target = &targets["activeTargets"][0];
    if target["health"] != "up" || target["lastError"] != "" {
        return Err(format!("{target:#}").into());
    }
    Ok(())
}

/// A Prometheus server of this test's own. It ends with the test, however that ends.
struct Server {
    address: SocketAddr,
    process: Child,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start(target: SocketAddr) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let config = folder.path().join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
             scrape_configs: [{{job_name: service, static_configs: [{{targets: ['{target}']}}]}}]\n"
        );
        fs::write(&config, text)?;
        // Free a moment ago: the server takes no socket that is open already.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let data = folder.path().join("data");
        let mut command = Command::new("prometheus");
        let command = command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .arg(format!("--web.listen-address={address}"))
            .args(["--log.level=error"])
            .stdin(Stdio::null());
        Ok(Self {
            address,
            process: command.spawn()?,
            _folder: folder,
        })
    }

    /// Until `expression` has a result; an error after a minute and a half.
    fn wait_for(&self, expression: &str) -> Result {
        let query: String = expression
            .bytes()
            .map(|byte| format!("%{byte:02x}"))
            .collect();
        let start = Instant::now();
        loop {
            let answer = self.api(&format!("query?query={query}"));
            if answer.is_ok_and(|answer| answer["result"][0].is_object()) {
                return Ok(());
            }
            if start.elapsed() > Duration::from_secs(90) {
                return Err(format!("never came true: {expression}").into());
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn api(&self, request: &str) -> Result<Value> {
        let head = format!("GET /api/v1/{request} HTTP/1.0\r\n\r\n");
        let answer = client::send(self.address, head.as_bytes())?;
        let mut answer: Value = serde_json::from_slice(&answer.body)?;
        if answer["status"] != "success" {
            return Err(answer.to_string().into());
        }
        Ok(answer["data"].take())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error means that it has ended.
        let _ended = self.process.kill();
        let _ended = self.process.wait();
    }
}

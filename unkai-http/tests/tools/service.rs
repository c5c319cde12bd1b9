//! The example, running under load.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Result, client, output, workspace};

/// It ends with the test, however that ends.
pub(crate) struct Service {
    process: Child,
    /// What it says is not read on, but must have somewhere to go.
    said: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
}

impl Service {
    /// One that has some thousand documents already.
    pub(crate) fn started() -> Result<Self> {
        static PROGRAM: OnceLock<std::result::Result<PathBuf, String>> = OnceLock::new();
        let built = || build().map_err(|error| error.message().unwrap_or_default().to_owned());
        let program = PROGRAM.get_or_init(built).clone()?;
        let mut command = Command::new(program);
        let command = command.args(["--load", "2"]).stdin(Stdio::null());
        let mut process = command.stdout(Stdio::piped()).spawn()?;
        let said = process.stdout.take().ok_or("no output")?;
        let mut service = Self {
            process,
            said: BufReader::new(said),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        let mut line = String::new();
        service.said.read_line(&mut line)?;
        let address = line.trim_end().strip_prefix("service: http://");
        let address = address.and_then(|rest| rest.strip_suffix('/'));
        service.address = address.ok_or("no address")?.parse()?;
        service.wait_for_documents()?;
        Ok(service)
    }

    fn wait_for_documents(&self) -> Result {
        let start = Instant::now();
        loop {
            let metrics = client::get(self.address, "/metrics");
            let mut lines = metrics.text().lines();
            let live = lines.find_map(|line| line.strip_prefix("unkai_live_bytes "));
            if live.ok_or("no metric")?.parse::<f64>()? > 16e6 {
                return Ok(());
            }
            if start.elapsed() > Duration::from_secs(90) {
                return Err("the clients put no documents".into());
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // An error means that it has ended.
        let _ended = self.process.kill();
        let _ended = self.process.wait();
    }
}

/// Compiles the example of the package above this one, by the same Cargo.
fn build() -> Result<PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "build",
        "--release",
        "--example",
        "service",
        "--features",
        "http",
    ]);
    cargo.args(["--message-format", "json", "--manifest-path"]);
    for line in output(cargo.arg(workspace().join("Cargo.toml")))?.lines() {
        let message: Value = serde_json::from_str(line)?;
        let is_example = message["target"]["kind"][0] == "example";
        if let (true, Some(path)) = (is_example, message["executable"].as_str()) {
            return Ok(path.into());
        }
    }
    Err("cargo has built no example".into())
}

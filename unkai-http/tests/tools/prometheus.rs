//! The page of metrics, as `promtool` and a Prometheus server read it.

use super::real_prometheus::{Server, lint_classic};
use super::service::Service;
use super::{Result, client};

pub(crate) fn lint() -> Result {
    let service = Service::started()?;
    let metrics = client::get(service.address, "/metrics");
    lint_classic(metrics.text())
}

/// A server scrapes the service each few seconds, and knows of its heap and of its searches.
pub(crate) fn scrape() -> Result {
    let service = Service::started()?;
    let server = Server::start(&service.address.to_string())?;
    server.wait_for("count_over_time(up[5m]) >= 5 and up == 1")?;
    server.wait_for("unkai_live_bytes > 16e6")?;
    server.wait_for("sum(unkai_site_live_bytes{function=~\"service::store::.*\"}) > 1e6")?;
    server.wait_for("rate(searches_total[30s]) > 1")?;
    server.wait_for("rate(unkai_allocated_bytes_total[30s]) > 1e6")?;
    server.scrapes_have_no_error()
}

//! What there is to see, and how each document is written.

use std::io;
use std::sync::Arc;

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::registry::Registry;
use unkai_core::{Config, Snapshot, process};
use unkai_report::prometheus::{self, HeapCollector};
use unkai_report::{Report, Value, folded, html, json, pprof, text};

use super::Settings;
use super::request::{Asked, Names};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Document {
    Index,
    Heap,
    Allocs,
    Page,
    Json,
    Folded,
    Metrics,
}

impl Document {
    /// Whether it is made of a report, as the query says.
    pub(super) fn has_parameters(self) -> bool {
        !matches!(self, Self::Index | Self::Metrics)
    }

    pub(super) fn is_pprof(self) -> bool {
        matches!(self, Self::Heap | Self::Allocs)
    }
}

/// The profile now. The settings count only if no allocator has started the profiler yet.
pub(super) fn snapshot() -> Snapshot {
    process::snapshot(&Config::new())
}

/// Writes what is asked for, of `snapshot`.
pub(super) fn write(asked: &Asked, snapshot: Snapshot, settings: &Settings) -> io::Result<Vec<u8>> {
    let report = match asked.names {
        Names::None => Report::without_names(snapshot),
        Names::Known => {
            settings.names.learn(&snapshot);
            settings.names.report(snapshot)
        }
        Names::All => {
            settings.names.learn_now(&snapshot);
            settings.names.report(snapshot)
        }
    };
    let mut out = Vec::new();
    match asked.document {
        Document::Heap | Document::Allocs if asked.is_text => {
            text::write(&report, &text::Options::new(), &mut out)?;
        }
        Document::Heap => pprof::write(&report, &pprof::Options::new(), &mut out)?,
        Document::Allocs => {
            let options = pprof::Options::new().default_value(Value::AllocatedBytes);
            pprof::write(&report, &options, &mut out)?;
        }
        Document::Json => json::write(&report, &json::Options::new(), &mut out)?,
        Document::Folded => folded::write(&report, &folded::Options::new(), &mut out)?,
        Document::Page | Document::Index | Document::Metrics => {
            let options = html::Options::new().title(&settings.title);
            html::write(&report, &options, &mut out)?;
        }
    }
    Ok(out)
}

/// Writes the page for Prometheus.
pub(super) fn write_metrics(settings: &Settings) -> io::Result<Vec<u8>> {
    let options = match settings.has_names {
        true => prometheus::Options::new(),
        false => prometheus::Options::new().top_sites(0),
    };
    let heap = HeapCollector::new(snapshot, options).shared_names(Arc::clone(&settings.names));
    let mut registry = Registry::default();
    registry.register_collector(Box::new(heap));
    let mut text = String::new();
    let others = settings.metrics.iter().map(|others| &**others);
    for registry in others.chain([&registry]) {
        encode_registry(&mut text, registry).map_err(io::Error::other)?;
    }
    encode_eof(&mut text).map_err(io::Error::other)?;
    Ok(text.into_bytes())
}

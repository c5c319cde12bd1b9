//! Metrics by tables: a family of series for each number of a thing, shared by heap profiles and trees of scopes.

use std::{fmt, io};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

/// The media type of what is written, for an HTTP header `Content-Type`.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Writes all that `collector` has, as a document of its own or, without its end, as a part of one.
pub(crate) fn write(
    collector: impl Collector,
    end: bool,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(collector));
    let mut text = String::new();
    encode_registry(&mut text, &registry).map_err(io::Error::other)?;
    if end {
        encode_eof(&mut text).map_err(io::Error::other)?;
    }
    out.write_all(text.as_bytes())
}

/// One of the numbers of a `T`, as a family of series.
pub(crate) struct Metric<T> {
    /// Without the unit, and the `_total` of counters: the encoder adds them.
    name: &'static str,
    unit: Option<Unit>,
    help: &'static str,
    kind: MetricType,
    value: fn(&T) -> Option<Number>,
}

/// The value of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Whole(u64),
    Signed(i64),
    Real(f64),
}

impl<T> Metric<T> {
    /// A value that goes up and down. Without one, there is no series.
    pub(crate) const fn gauge(
        name: &'static str,
        unit: Option<Unit>,
        help: &'static str,
        value: fn(&T) -> Option<Number>,
    ) -> Self {
        let kind = MetricType::Gauge;
        Self {
            name,
            unit,
            help,
            kind,
            value,
        }
    }

    /// A value that only goes up.
    pub(crate) const fn counter(
        name: &'static str,
        unit: Option<Unit>,
        help: &'static str,
        value: fn(&T) -> Option<Number>,
    ) -> Self {
        let kind = MetricType::Counter;
        Self {
            name,
            unit,
            help,
            kind,
            value,
        }
    }

    /// The family with one series that has no label, if it has a value.
    pub(crate) fn encode(&self, encoder: &mut DescriptorEncoder<'_>, thing: &T) -> fmt::Result {
        match self.value(thing) {
            Some(value) => value.encode(self.kind, &mut self.descriptor(encoder)?),
            None => Ok(()),
        }
    }

    /// The family with a series for each of `things` that has a value; nothing if none has.
    pub(crate) fn encode_each<'t, L: EncodeLabelSet>(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        things: impl IntoIterator<Item = (L, &'t T)>,
    ) -> fmt::Result
    where
        T: 't,
    {
        let things = things.into_iter();
        let mut series = things
            .filter_map(|(labels, thing)| Some((labels, self.value(thing)?)))
            .peekable();
        if series.peek().is_none() {
            return Ok(());
        }
        let mut family = self.descriptor(encoder)?;
        for (labels, value) in series {
            value.encode(self.kind, &mut family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn value(&self, thing: &T) -> Option<Number> {
        let counts = matches!(self.kind, MetricType::Counter);
        (self.value)(thing).filter(|value| match value {
            Number::Whole(_) => true,
            Number::Signed(value) => !counts || *value >= 0,
            // The text of an infinite number is not the same everywhere, and no counter may be NaN.
            Number::Real(value) => value.is_finite() && (!counts || *value >= 0.0),
        })
    }

    fn descriptor<'e>(
        &'e self,
        encoder: &'e mut DescriptorEncoder<'_>,
    ) -> Result<MetricEncoder<'e>, fmt::Error> {
        encoder.encode_descriptor(self.name, self.help, self.unit.as_ref(), self.kind)
    }
}

impl Number {
    fn encode(self, kind: MetricType, series: &mut MetricEncoder<'_>) -> fmt::Result {
        match (kind, self) {
            (MetricType::Counter, Self::Whole(value)) => {
                series.encode_counter::<NoLabelSet, _, u64>(&value, None)
            }
            (MetricType::Counter, Self::Signed(value)) => {
                series.encode_counter::<NoLabelSet, _, u64>(&value.unsigned_abs(), None)
            }
            (MetricType::Counter, Self::Real(value)) => {
                series.encode_counter::<NoLabelSet, _, u64>(&value, None)
            }
            (_, Self::Whole(value)) => series.encode_gauge(&value),
            (_, Self::Signed(value)) => series.encode_gauge(&value),
            (_, Self::Real(value)) => series.encode_gauge(&value),
        }
    }
}

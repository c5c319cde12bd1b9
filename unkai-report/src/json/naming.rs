//! What naming took, to and from the wire.

use super::error::ReadError;
use super::status::{read_span, span};
use super::wire::{Limit, Naming};
use crate::resolve::{ResolveCost, ResolveLimit};

pub(super) fn naming(cost: &ResolveCost) -> Naming {
    Naming {
        addresses: cost.addresses,
        named: cost.named,
        elapsed: span(cost.elapsed),
        memory_bytes: cost.memory_bytes,
        stopped_by: cost.stopped_by.map(|limit| match limit {
            ResolveLimit::MemoryBytes(bytes) => Limit::MemoryBytes(bytes),
            ResolveLimit::Time(time) => Limit::Time(span(time)),
            ResolveLimit::Fork => Limit::Fork,
        }),
    }
}

pub(super) fn read_naming(naming: &Naming) -> Result<ResolveCost, ReadError> {
    let stopped_by = match &naming.stopped_by {
        None => None,
        Some(Limit::MemoryBytes(bytes)) => Some(ResolveLimit::MemoryBytes(*bytes)),
        Some(Limit::Fork) => Some(ResolveLimit::Fork),
        Some(Limit::Time(time)) => {
            let time = read_span(time, "naming.stopped_by.time")?;
            Some(ResolveLimit::Time(time))
        }
    };
    Ok(ResolveCost {
        addresses: naming.addresses,
        named: naming.named,
        elapsed: read_span(&naming.elapsed, "naming.elapsed")?,
        memory_bytes: naming.memory_bytes,
        stopped_by,
    })
}

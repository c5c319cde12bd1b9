//! Between a [`Report`] and its [`Document`].

use std::borrow::Cow;
use std::io;

use unkai_core::Snapshot;

use super::error::ReadError;
use super::wire::{Address, Document};
use super::{HEAP_PROFILE, modules, naming, sites, status};
use crate::report::Report;

pub(super) fn to_document(report: &Report) -> io::Result<Document> {
    let snapshot = report.snapshot();
    let addresses = sites::addresses(report);
    let modules = modules::modules(report.modules());
    Ok(Document {
        naming: report.symbols().cost().map(naming::naming),
        functions: sites::functions(report.symbols()),
        ..without_names(
            snapshot,
            status::losses(&snapshot.losses)?,
            Some(modules).filter(|list| !list.is_empty()),
            sites::sites(report, &addresses),
            addresses,
        )?
    })
}

/// A document of everything in `snapshot` that needs no name, with its lists in whatever form they can be written.
/// Allocates nothing.
pub(super) fn without_names<Losses, Modules, Sites>(
    snapshot: &Snapshot,
    losses: Losses,
    modules: Option<Modules>,
    sites: Sites,
    addresses: Vec<Address>,
) -> io::Result<Document<Losses, Modules, Sites>> {
    Ok(Document {
        schema: Cow::Borrowed(HEAP_PROFILE.name),
        version: HEAP_PROFILE.version,
        taken_at: status::moment(snapshot.taken_at),
        uptime: status::span(snapshot.uptime),
        window: snapshot.window.map(status::span),
        totals: status::totals(&snapshot.totals),
        resident_bytes: snapshot.resident_bytes,
        limit: snapshot.limit.map(status::limit),
        sampling: status::sampling(&snapshot.sampling)?,
        unwinding: status::unwinding(&snapshot.unwinding)?,
        losses,
        own_memory: status::own_memory(&snapshot.own_memory),
        modules,
        naming: None,
        functions: Vec::new(),
        addresses,
        sites,
    })
}

pub(super) fn from_document(document: &Document) -> Result<Report, ReadError> {
    let mut snapshot = Snapshot::empty(status::read_moment(&document.taken_at)?);
    snapshot.uptime = status::read_span(&document.uptime, "uptime")?;
    let window = document.window.as_ref();
    snapshot.window = window
        .map(|span| status::read_span(span, "window"))
        .transpose()?;
    snapshot.totals = status::read_totals(&document.totals);
    snapshot.resident_bytes = document.resident_bytes;
    snapshot.limit = document.limit.as_ref().map(status::read_limit);
    status::read_sampling(&document.sampling, &mut snapshot.sampling);
    status::read_unwinding(&document.unwinding, &mut snapshot.unwinding);
    snapshot.losses = status::read_losses(&document.losses)?;
    snapshot.own_memory = status::read_own_memory(&document.own_memory);
    let mut symbols = sites::read_symbols(document)?;
    let naming = document.naming.as_ref();
    symbols.set_cost(naming.map(naming::read_naming).transpose()?);
    for (at, site) in document.sites.iter().enumerate() {
        snapshot
            .sites
            .push(sites::read_site(site, at, &document.addresses)?);
    }
    sites::check_frames(&snapshot.sites, &symbols)?;
    let modules = modules::read_modules(document.modules.as_deref().unwrap_or_default())?;
    Ok(Report::from_parts(snapshot, symbols).with_modules(modules))
}

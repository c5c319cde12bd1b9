//! A document without memory: for the moment before there is none.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Write as _};

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use unkai_core::{Losses, Site, Snapshot};

use super::wire::Module;
use super::{convert, modules, sites, status};
use crate::modules::Modules;

/// Writes documents of the [schema](super) without allocating, one site after the other.
///
/// For a profile when memory is nearly gone: unkai-watch's `Dump` is made of it. A document has no names, and
/// each site has its addresses with it, so that no table of them is needed. [`read`](super::read) reads it like any other,
/// and it can be named afterwards.
///
/// ```
/// use std::time::SystemTime;
/// use unkai_core::{Site, Snapshot};
/// use unkai_report::{Modules, json};
///
/// let stream = json::Stream::new(&Modules::of_this_process());
///
/// // Later. Of a real program: `process::survey()`, and `process::each_site`.
/// let survey = Snapshot::empty(SystemTime::now());
/// let site = Site::new(2, vec![0x1010, 0x2020]);
/// let mut document = Vec::with_capacity(64 << 10);
/// stream.write(&survey, |visit| visit(&site), &mut document)?;
///
/// let report = json::read(&document[..])?;
/// assert_eq!(report.snapshot().sites, [site]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Stream {
    modules: Vec<Module>,
}

impl Stream {
    /// Makes ready what every document will say of `modules`. This allocates.
    pub fn new(modules: &Modules) -> Self {
        Self {
            modules: modules::modules(modules),
        }
    }

    /// Writes a document: everything of `survey` but its sites, and in their place those that `each_site` calls its
    /// argument with. With a line break at its end.
    ///
    /// Many small pieces are handed to `out`. Takes 4 to 11 µs for each site of 64 frames.
    ///
    /// # Errors
    /// The first of `out`; nothing more is written then. Allocates nothing even so, if that error does not.
    /// [`Unsupported`](io::ErrorKind::Unsupported) as for [`write`](super::write), which does allocate.
    pub fn write(
        &self,
        survey: &Snapshot,
        each_site: impl FnOnce(&mut dyn FnMut(&Site)),
        out: &mut impl io::Write,
    ) -> io::Result<()> {
        let document = convert::without_names(
            survey,
            NamedLosses::of(&survey.losses)?,
            (!self.modules.is_empty()).then_some(&self.modules),
            EachSite(Cell::new(Some(each_site))),
            Vec::new(),
        )?;
        let mut out = FirstError { out, error: None };
        // The only failures are those of `out`, which are kept aside: serde_json would put them into a box.
        let written = serde_json::to_writer(&mut out, &document).map_err(io::Error::from);
        let ended = written.and_then(|()| out.write_all(b"\n"));
        out.error.map_or(ended, Err)
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("modules", &self.modules.len())
            .finish()
    }
}

/// Losses, all of which have a name.
struct NamedLosses<'a>(&'a Losses);

impl<'a> NamedLosses<'a> {
    fn of(losses: &'a Losses) -> io::Result<Self> {
        status::named_losses(losses).try_for_each(|named| named.map(drop))?;
        Ok(Self(losses))
    }
}

impl Serialize for NamedLosses<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(status::named_losses(self.0).flatten())
    }
}

/// The sites that a function goes through, which can be written once.
struct EachSite<F>(Cell<Option<F>>);

impl<F: FnOnce(&mut dyn FnMut(&Site))> Serialize for EachSite<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        let mut so_far = Ok(());
        if let Some(each_site) = self.0.take() {
            each_site(&mut |site| {
                if so_far.is_ok() {
                    so_far = sites::with_lone_site(site, |site| list.serialize_element(site));
                }
            });
        }
        so_far?;
        list.end()
    }
}

/// Writes until something goes wrong, and keeps what; who writes sees no failure.
struct FirstError<'a, W> {
    out: &'a mut W,
    error: Option<io::Error>,
}

impl<W: io::Write> io::Write for FirstError<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.error.is_none() {
            self.error = self.out.write_all(bytes).err();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

//! What every JSON document of this crate begins with, and what is checked before the rest of it is looked at.

use std::io;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Options, ReadError};

/// A kind of document, and the version of it that is written and, at most, read.
pub(crate) struct Schema {
    /// The value of `schema` in every document of the kind.
    pub(crate) name: &'static str,
    pub(crate) version: u64,
    /// The kind in words, for errors.
    pub(crate) what: &'static str,
}

/// The fields that tell what a document is.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    schema: serde_json::Value,
    #[serde(default)]
    version: serde_json::Value,
}

impl Schema {
    /// The document in `input`, which is read to its end first.
    pub(crate) fn read<D: DeserializeOwned>(
        &self,
        mut input: impl io::Read,
    ) -> Result<D, ReadError> {
        let mut text = Vec::new();
        input.read_to_end(&mut text).map_err(ReadError::Io)?;
        let other = || ReadError::OtherDocument {
            expected: self.what,
        };
        let head: Head = serde_json::from_slice(&text).map_err(|error| match error.classify() {
            // Valid JSON as far as it goes, but a list, a number or the like.
            serde_json::error::Category::Data => other(),
            _ => ReadError::from(error),
        })?;
        if head.schema.as_str() != Some(self.name) {
            return Err(other());
        }
        match head.version.as_u64() {
            Some(found) if found == self.version => {}
            Some(found) if found > self.version => {
                return Err(ReadError::NewerVersion {
                    found,
                    supported: self.version,
                });
            }
            _ => return Err(ReadError::malformed("version", "not a version number")),
        }
        Ok(serde_json::from_slice(&text)?)
    }
}

/// Writes `document` as `options` say, with a line break at its end.
pub(crate) fn write(
    document: &impl Serialize,
    options: &Options,
    out: &mut impl io::Write,
) -> io::Result<()> {
    if options.pretty {
        serde_json::to_writer_pretty(&mut *out, document)?;
    } else {
        serde_json::to_writer(&mut *out, document)?;
    }
    out.write_all(b"\n")
}

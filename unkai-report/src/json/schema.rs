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

/// Documents of [`json`](crate::json).
pub(crate) const HEAP_PROFILE: Schema = Schema {
    name: "unkai.heap-profile",
    version: 1,
    what: "heap profile",
};

/// Documents of [`scopes::json`](crate::scopes::json).
pub(crate) const SCOPES: Schema = Schema {
    name: "unkai.scopes",
    version: 1,
    what: "scope tree",
};

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
        let other = |found| ReadError::OtherDocument {
            expected: self.what,
            found,
        };
        let head: Head = serde_json::from_slice(&text).map_err(|error| match error.classify() {
            // Valid JSON as far as it goes, but a list, a number or the like.
            serde_json::error::Category::Data => other(None),
            _ => ReadError::from(error),
        })?;
        if head.schema.as_str() != Some(self.name) {
            let of_unkai = [&HEAP_PROFILE, &SCOPES];
            let found = of_unkai
                .into_iter()
                .find(|schema| head.schema.as_str() == Some(schema.name));
            return Err(other(found.map(|schema| schema.what)));
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

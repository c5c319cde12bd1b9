//! See [`crate::internals`].

use super::{FileName, Kind};
use crate::stamp::Stamp;

/// What a file of this crate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A report.
    Report,
    /// A dump.
    Dump,
}

impl FileKind {
    /// How such a file is called, and how until it is whole.
    pub fn file_name(
        self,
        milliseconds: u64,
        process: u32,
        name: &str,
        extension: &str,
    ) -> [String; 2] {
        let stamp = Stamp::of(milliseconds);
        let file = FileName::of(self.kind(), stamp, process, name, extension);
        [file, file.temporary()].map(|name| name.as_str().to_owned())
    }

    /// Whether the file called `name` is taken for such a one, and whether for one that is not whole.
    pub fn names(self, name: &[u8]) -> [bool; 2] {
        [self.kind().names(name), self.kind().names_temporary(name)]
    }

    fn kind(self) -> Kind {
        match self {
            Self::Report => Kind::Report,
            Self::Dump => Kind::Dump,
        }
    }
}

/// Whether what was read from a directory is kept as it is.
pub fn is_kept_whole(name: &[u8]) -> bool {
    FileName::read(name).is_some_and(|read| read.as_c_str().to_bytes() == name)
}

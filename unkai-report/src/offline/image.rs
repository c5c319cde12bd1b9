//! What the headers of an ELF file say: which build it is, and at which addresses its code was linked.

use std::fs::File;
use std::path::{Path, PathBuf};

use object::read::ReadCache;
use object::{BinaryFormat, Object, ObjectKind, ObjectSegment};

use super::Reason;
use crate::modules::Module;

/// The headers of a program, a library, or the separate debug information of one.
#[derive(Clone, Debug)]
pub(super) struct Image {
    path: PathBuf,
    pub(super) build_id: Option<Vec<u8>>,
    /// Name of the file with the debug information, if that is separate.
    pub(super) debug_link: Option<PathBuf>,
    code: Vec<Segment>,
    content: Content,
}

/// What a file can tell, the most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Content {
    Lines,
    Symbols,
    ExportedSymbols,
}

/// A part of the file that is loaded as code.
#[derive(Clone, Copy, Debug)]
struct Segment {
    /// First address as linked.
    address: u64,
    align: u64,
    file_offset: u64,
    file_size: u64,
}

impl Image {
    /// Reads the headers of the file at `path`, a few KB.
    pub(super) fn read(path: &Path) -> Result<Self, Reason> {
        let unreadable = |error: std::io::Error| Reason::Unreadable(error.to_string());
        // A pipe must not be opened: that waits for somebody to write.
        if !path.metadata().map_err(unreadable)?.is_file() {
            return Err(Reason::Unreadable("not a file".to_owned()));
        }
        let cache = ReadCache::new(File::open(path).map_err(unreadable)?);
        let object = object::File::parse(&cache).map_err(|_| Reason::NotElf)?;
        let is_module = object.format() == BinaryFormat::Elf
            && matches!(object.kind(), ObjectKind::Executable | ObjectKind::Dynamic);
        if !is_module {
            return Err(Reason::NotElf);
        }
        let code = object
            .segments()
            .filter(|segment| segment.permissions().executable());
        let code = code.map(|segment| {
            let (file_offset, file_size) = segment.file_range();
            Segment {
                address: segment.address(),
                align: segment.align(),
                file_offset,
                file_size,
            }
        });
        let content = if object.has_debug_symbols() {
            Content::Lines
        } else if object.symbols().next().is_some() {
            Content::Symbols
        } else {
            Content::ExportedSymbols
        };
        let debug_link = object.gnu_debuglink().ok().flatten();
        Ok(Self {
            path: path.to_owned(),
            build_id: object.build_id().ok().flatten().map(<[u8]>::to_vec),
            debug_link: debug_link
                .and_then(|(name, _)| std::str::from_utf8(name).ok())
                .map(PathBuf::from),
            code: code.collect(),
            content,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// For sorting: files that tell more come first.
    pub(super) fn by_content(&self) -> impl Ord + use<> {
        self.content
    }

    /// The address as linked of `address`, which lies in `mapping`. `lowest` is the least file offset of all mappings
    /// of the module's code.
    pub(super) fn linked(&self, address: u64, mapping: &Module, lowest: u64) -> Option<u64> {
        let into_mapping = address.checked_sub(mapping.start)?;
        let offset = mapping.file_offset.checked_add(into_mapping)?;
        let holds = |segment: &&Segment| {
            offset
                .checked_sub(segment.file_offset)
                .is_some_and(|into| into < segment.file_size)
        };
        if let Some(segment) = self.code.iter().find(holds) {
            return segment.address.checked_add(offset - segment.file_offset);
        }
        // Separate debug information has no code, and its offsets are its own; addresses are those of the whole file.
        let [segment] = self.code[..] else {
            return None;
        };
        // The mapping starts at the page of the segment's first byte. The two agree modulo the alignment.
        let align = segment.align.max(1);
        let before = segment.address.wrapping_sub(lowest) % align;
        let first = segment.address.checked_sub(before)?;
        first.checked_add(offset.checked_sub(lowest)?)
    }
}

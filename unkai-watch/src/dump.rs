//! A profile for when memory is nearly gone.

#[cfg(target_os = "linux")]
#[path = "dump/directory.rs"]
mod directory;
#[cfg(not(target_os = "linux"))]
#[path = "dump/no_directory.rs"]
mod directory;
mod error;
mod sink;

use std::hint::black_box;
use std::io;
use std::path::{Path, PathBuf};

use unkai_core::{MAX_FRAMES, Site, aside, process};
use unkai_report::{Modules, json};

pub use error::DumpError;

use crate::file_name::{FileName, Kind};
use directory::Directory;
use sink::Sink;

/// Writes the profile of this process when there is no memory left to do it with.
///
/// A dump is a document of [`unkai_report::json`] without names and without the ages of blocks: all totals, each call
/// stack with its estimates, and the files that its addresses lie in. The tool `unkai` reads it, and names its functions:
/// `unkai name DUMP | unkai report -`. So do [`unkai_report::json::read`] and `unkai_report::offline::name`.
///
/// All that a dump takes is reserved ahead, and touched: [`write`](Self::write) allocates nothing, waits for no other
/// thread and goes on where every allocation fails. A dump gets its name when it is whole; until then it is a hidden file that
/// ends in `.tmp`. The dumps from before stay until then, and the newest [`keep`](Self::keep) after it.
///
/// | | |
/// |---|---|
/// | file | `unkai-dump-<UTC time>-<process>-<name>.json`, readable by its owner only |
/// | bytes | about 450 for each call stack and 17 for each of its frames: 25 MB where the tables are full (16,384 stacks of 64 frames) |
/// | time | 4 to 11 µs for each call stack of 64 frames: 0.07 to 0.2 s where the tables are full |
/// | reserved | some 100 KiB, and a descriptor for the file |
///
/// Nothing is flushed to the disk: what was written outlives the process, however it ends, because the system has it. Only
/// if the machine itself stops within half a minute, it may be lost. To wait for the disk would cost the very
/// moments that are left.
///
/// On other systems than Linux, [`to`](Self::to) answers [`DumpError::Unsupported`].
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path();
/// use unkai_watch::Dump;
///
/// let mut dump = Dump::to(path)?;
/// dump.write("before-out-of-memory")?;
/// let file = std::fs::File::open(dump.last().expect("it was written"))?;
/// assert_eq!(unkai_report::json::read(file)?.snapshot().window, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Dump {
    directory: Directory,
    keep: usize,
    stream: json::Stream,
    /// Invariant: its stack has room for [`MAX_FRAMES`].
    site: Site,
    buffer: Box<[u8]>,
    last: Option<FileName>,
}

impl Dump {
    /// Reserves all that dumps into the directory `dir` take; it must exist. Removes what dumps of dead processes have left
    /// half-written there.
    ///
    /// To be called on the thread that will write, or [`refresh`](Self::refresh) on that one.
    ///
    /// # Errors
    /// [`DumpError::Directory`] if it cannot be opened, [`DumpError::Unsupported`] on other systems than Linux.
    pub fn to(dir: impl AsRef<Path>) -> Result<Self, DumpError> {
        let mut dump = aside(|| {
            let mut directory = Directory::open(dir.as_ref())?;
            directory.remove_abandoned();
            Ok(Self {
                directory,
                keep: 3,
                stream: json::Stream::new(&Modules::default()),
                site: Site::new(0, touched(MAX_FRAMES)),
                buffer: touched(BUFFER_BYTES).into_boxed_slice(),
                last: None,
            })
        })?;
        dump.refresh();
        Ok(dump)
    }

    /// How many dumps are kept in the directory, of all processes together: one at least; 3 if not set.
    #[must_use]
    pub const fn keep(mut self, files: usize) -> Self {
        self.keep = if files == 0 { 1 } else { files };
        self
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        self.directory.path()
    }

    /// Notes which libraries are loaded now, and goes through all that [`write`](Self::write) does but the writing: that
    /// brings the stack of the calling thread and the code into memory.
    ///
    /// Call it on the thread that will write, first of all and, if the program loads libraries later, once in a while. Takes
    /// about a millisecond, ten where the tables are full, and some memory, which goes back.
    pub fn refresh(&mut self) {
        aside(|| self.stream = json::Stream::new(&Modules::of_this_process()));
        // What is written into nothing cannot fail.
        let _ = self.write_to(&mut io::sink(), u64::MAX, 1);
    }

    /// Writes a dump. `name` becomes part of the file's name: of its first 100 characters, those that are not
    /// letters, digits, `.`, `_` or `-` as `_`. Allocates nothing.
    ///
    /// # Errors
    /// [`DumpError`] says what failed; there is no new dump then, and those from before are untouched. But
    /// [`DumpError::NotPruned`] means that the dump was written, and that older ones could not be removed.
    pub fn write(&mut self, name: &str) -> Result<(), DumpError> {
        let whole = FileName::new(Kind::Dump, name, "json");
        let temporary = whole.temporary();
        let mut file = self.directory.create(&temporary)?;
        let room = self.directory.largest_file();
        let written = self
            .write_to(&mut file, room, usize::MAX)
            .map_err(|source| self.directory.not_written(source))
            .and_then(|()| self.directory.rename(&temporary, &whole));
        drop(file);
        self.directory.reserve_descriptor();
        if let Err(error) = written {
            self.directory.remove(&temporary);
            return Err(error);
        }
        self.last = Some(whole);
        self.directory.remove_abandoned();
        self.directory.prune(&whole, self.keep)
    }

    /// The file of the last dump that this value has written.
    pub fn last(&self) -> Option<PathBuf> {
        let name = self.last.as_ref()?;
        Some(self.dir().join(name.as_str()))
    }

    /// Writes a document with the first `most` sites.
    fn write_to(&mut self, out: &mut impl io::Write, room: u64, most: usize) -> io::Result<()> {
        let mut sink = Sink::new(out, &mut self.buffer, room);
        let each_site = |visit: &mut dyn FnMut(&Site)| {
            let mut visited = 0;
            process::each_site(&mut self.site, |site| {
                if visited < most {
                    visited += 1;
                    visit(site);
                }
            });
        };
        self.stream
            .write(&process::survey(), each_site, &mut sink)?;
        sink.finish()
    }
}

/// Room that is not only mapped: each page was written to.
fn touched<T: Clone + From<u8>>(length: usize) -> Vec<T> {
    // Not zero: zeros are had without touching.
    black_box(vec![T::from(1); length])
}

/// Few calls of the system for a large dump.
const BUFFER_BYTES: usize = 64 << 10;

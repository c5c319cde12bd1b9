//! The files that are left behind: the same report, in the formats of several viewers.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use unkai::Snapshot;
use unkai::report::{Report, flamegraph, folded, html, json, pprof};

use super::session::Failure;

/// The folder for the reports.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

/// What the folder holds in the end, and what opens it.
const CONTENTS: [(&str, &str); 5] = [
    (HTML, "the whole report: open it in a browser"),
    (
        FLAME_GRAPH,
        "a flame graph of live bytes: open it in a browser",
    ),
    (PPROF, "go tool pprof -http=: heap.pb.gz"),
    (JSON, "for the tool unkai, and for other programs"),
    (
        FOLDED,
        "live bytes as folded stacks, for tools that draw flame graphs",
    ),
];

impl Folder {
    /// Makes the folder, and its files to see that they can be written.
    pub(crate) fn make(path: &Path) -> Result<Self, Failure> {
        let folder = Self {
            path: path.to_owned(),
        };
        fs::create_dir_all(path)
            .and_then(|()| {
                CONTENTS
                    .iter()
                    .try_for_each(|(name, _)| folder.create(name).map(drop))
            })
            .map_err(|error| Failure::Argument(folder.cannot_write(&error)))?;
        Ok(folder)
    }

    /// Writes all files.
    pub(crate) fn write_reports(
        &self,
        report: &Report,
        earlier: &[Snapshot],
    ) -> Result<(), Failure> {
        self.try_write(report, earlier)
            .map_err(|error| Failure::NoResult(self.cannot_write(&error)))
    }

    /// Says what there is.
    pub(crate) fn print_contents(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "\nReports in {}", self.path.display())?;
        for (name, what) in CONTENTS {
            writeln!(out, "  {name:<12} {what}")?;
        }
        Ok(())
    }

    fn try_write(&self, report: &Report, earlier: &[Snapshot]) -> io::Result<()> {
        let page = html::Options::new().title("index_files").earlier(earlier);
        let mut file = self.create(HTML)?;
        html::write(report, &page, &mut file)?;
        file.flush()?;
        let mut file = self.create(FLAME_GRAPH)?;
        flamegraph::write(report, &flamegraph::Options::new(), &mut file)?;
        file.flush()?;
        let mut file = self.create(PPROF)?;
        pprof::write(report, &pprof::Options::new(), &mut file)?;
        file.flush()?;
        let mut file = self.create(JSON)?;
        json::write(report, &json::Options::new(), &mut file)?;
        file.flush()?;
        let mut file = self.create(FOLDED)?;
        folded::write(report, &folded::Options::new(), &mut file)?;
        file.flush()
    }

    fn create(&self, name: &str) -> io::Result<BufWriter<File>> {
        Ok(BufWriter::new(File::create(self.path.join(name))?))
    }

    fn cannot_write(&self, error: &io::Error) -> String {
        format!("cannot write to {}: {error}", self.path.display())
    }
}

const HTML: &str = "heap.html";
const FLAME_GRAPH: &str = "live.svg";
const PPROF: &str = "heap.pb.gz";
const JSON: &str = "heap.json";
const FOLDED: &str = "heap.folded";

//! The work in order, and what the heap profiler is asked on the way.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use unkai::UnkaiGlobalAlloc;
use unkai::report::{Report, text, units};

use super::files::{self, Unreadable};
use super::index::Index;
use super::options::Options;
use super::reports::Folder;
use super::statistics::DocumentStatistics;

/// Why there is no result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line names something that is not there.
    Argument(String),
    /// There is nothing to index, or a report cannot be written.
    NoResult(String),
    /// Our own output cannot be written.
    Output(io::Error),
}

/// All that was read.
#[derive(Debug, Default)]
struct Library {
    index: Index,
    documents: Vec<DocumentStatistics>,
}

/// Indexes what `options` name, answers some queries, and writes the reports.
pub(crate) fn run<A>(
    heap: &UnkaiGlobalAlloc<A>,
    options: &Options,
    out: &mut impl Write,
) -> Result<(), Failure> {
    heap.set_sampling_interval(options.interval);
    // Made now, so that a mistyped name does not cost the work.
    let folder = Folder::make(&options.reports)?;

    let mut unreadable = Vec::new();
    let files = files::find_files(&options.path, &mut unreadable).map_err(Failure::Argument)?;
    let found_unreadable = unreadable.len();
    let mut library = Library::default();
    let mut earlier = Vec::new();
    for round in 1..=options.repeat {
        // The library of the round before goes first.
        library = Library::default();
        earlier.clear();
        unreadable.truncate(found_unreadable);
        if options.repeat > 1 {
            writeln!(out, "round {round} of {}", options.repeat)?;
        }
        let mut at_quarter = |done: usize| {
            // To see in the end what has grown on the way.
            if done < files.len() {
                earlier.push(heap.snapshot());
            }
            print_status(heap, done, files.len(), out)
        };
        build_index(&files, &mut library, &mut unreadable, &mut at_quarter)?;
    }
    name_unreadable(&unreadable);
    if library.documents.is_empty() {
        let path = options.path.display();
        return Err(Failure::NoResult(format!("no text file in {path}")));
    }
    print_statistics(&library, out)?;
    answer_queries(&library, out)?;

    // Everything that the report shows is in the snapshot; naming the functions may take its time, and memory.
    let usage = heap.usage();
    let snapshot = heap.snapshot();
    let report = Report::new(snapshot);
    writeln!(out)?;
    let look = text::Options::for_terminal(&io::stdout());
    text::write(&report, &look.earlier(&earlier), out)?;
    folder.write_reports(&report, &earlier)?;

    let (bytes, blocks) = library.index.posting_bytes_and_blocks();
    let (live_bytes, live_blocks) = (usage.live_bytes(), usage.live_blocks());
    writeln!(
        out,
        "\nTo compare with: postings by the index's own count, and usage() right before the snapshot\n  \
         add_posting holds {bytes} bytes in {blocks} blocks\n  \
         the program holds {live_bytes} bytes in {live_blocks} blocks"
    )?;
    folder.print_contents(out)?;
    Ok(())
}

/// Reads all files into `library`, and calls `at_quarter` on the way with the number of files that are done.
#[inline(never)]
fn build_index(
    files: &[PathBuf],
    library: &mut Library,
    unreadable: &mut Vec<Unreadable>,
    at_quarter: &mut dyn FnMut(usize) -> io::Result<()>,
) -> Result<(), Failure> {
    for (done, path) in (1..).zip(files) {
        match files::read_file(path) {
            Ok(text) => add_document(library, path, &text),
            Err(error) => unreadable.push(error),
        }
        let quarter = |done: usize| done * 4 / files.len();
        if quarter(done) > quarter(done - 1) {
            at_quarter(done)?;
        }
    }
    Ok(())
}

#[inline(never)]
fn add_document(library: &mut Library, path: &Path, text: &str) {
    let number = library.documents.len() as u32;
    let words = library.index.add_text(number, text);
    let document = DocumentStatistics::measure_document(path.to_owned(), text, words);
    library.documents.push(document);
}

/// One line with exact figures. `usage` is cheap enough to be asked at any time.
fn print_status<A>(
    heap: &UnkaiGlobalAlloc<A>,
    done: usize,
    files: usize,
    out: &mut impl Write,
) -> io::Result<()> {
    let usage = heap.usage();
    writeln!(
        out,
        "{done:>6} of {files} files: {:>8} live in {:>6} blocks, {:>8} at the peak, {:>8} allocated so far",
        units::bytes(usage.live_bytes() as f64),
        units::count(usage.live_blocks() as f64),
        units::bytes(usage.peak_live_bytes as f64),
        units::bytes(usage.allocated.bytes as f64),
    )
}

fn name_unreadable(unreadable: &[Unreadable]) {
    if unreadable.is_empty() {
        return;
    }
    eprintln!("index_files: left out, {} in all:", unreadable.len());
    for Unreadable { path, reason } in unreadable.iter().take(MOST_NAMED) {
        eprintln!("  {}: {reason}", path.display());
    }
    if unreadable.len() > MOST_NAMED {
        eprintln!("  … and {} more", unreadable.len() - MOST_NAMED);
    }
}

fn print_statistics(library: &Library, out: &mut impl Write) -> io::Result<()> {
    let documents = &library.documents;
    let sum = |count: fn(&DocumentStatistics) -> usize| documents.iter().map(count).sum::<usize>();
    writeln!(
        out,
        "\n{} files, {}, {} lines, {} words, {} different ones",
        documents.len(),
        units::bytes(sum(|document| document.bytes) as f64),
        sum(|document| document.lines),
        sum(|document| document.words as usize),
        library.index.words(),
    )?;
    if let Some(longest) = documents.iter().max_by_key(|document| document.words) {
        writeln!(
            out,
            "longest: {}, {} words, half of its lines no longer than {} characters",
            longest.path.display(),
            longest.words,
            longest.median_line_length(),
        )?;
    }
    Ok(())
}

#[inline(never)]
fn answer_queries(library: &Library, out: &mut impl Write) -> io::Result<()> {
    for phrase in ["the", "heap", "call stack"] {
        let found = library.index.find_phrase(phrase);
        let times: usize = found.iter().map(|(_, times)| times).sum();
        let files = found.len();
        write!(out, "{phrase:?}: {times} times in {files} files")?;
        match found.iter().max_by_key(|(_, times)| *times) {
            Some((file, times)) => {
                let path = library.documents[*file as usize].path.display();
                writeln!(out, ", {times} times in {path}")?;
            }
            None => writeln!(out)?,
        }
    }
    Ok(())
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// Files that are named one by one.
const MOST_NAMED: usize = 10;

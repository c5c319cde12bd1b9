//! The program that survives: it starts the other one, waits for its end, and reads what it has left.

use std::error::Error;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};

use unkai::Site;
use unkai::report::{Report, json, offline, text, units};

use super::limit::{LIMIT_BYTES, Limit, Place};
use super::service::CHILD;

/// Does as the arguments say. Fails if there was no dump.
pub(crate) fn run(arguments: impl Iterator<Item = String>) -> Result<ExitCode, Box<dyn Error>> {
    let options = Options::of(arguments)?;
    let folder = Folder::new(options.reports)?;
    if let Some(runs) = options.runs {
        return count(runs, options.place, &folder.path);
    }
    let limit = Limit::new(options.place)?;
    println!(
        "Starting a service that leaks, below {} in {limit} …",
        in_mib(LIMIT_BYTES)
    );
    let end = until_killed(&limit, &folder.path)?;
    println!("\n  It was {}.", end.how());
    let Some(dump) = newest_dump(&folder.path)? else {
        println!("  It left no dump: it was gone before one was whole.");
        return Ok(ExitCode::FAILURE);
    };
    tell(&dump)?;
    if folder.stays {
        println!("Everything: unkai report {}", dump.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// What is known of a program that is no more.
fn tell(dump: &Path) -> Result<(), Box<dyn Error>> {
    let bytes = fs::metadata(dump)?.len();
    let report = json::read(File::open(dump)?)?;
    println!(
        "  It left a dump of {}: {}",
        units::bytes(bytes as f64),
        dump.display()
    );
    // The files of the program are still there.
    let (report, named) = offline::name(report, &offline::Options::new());
    let live = report.snapshot().totals.live_bytes() as f64;
    if let Some(site) = largest(&report) {
        println!(
            "\n  Of {} that were live, most is held by",
            units::bytes(live)
        );
        println!("\n      {}", holder(&report, site));
        let error = units::bytes(site.live.bytes_error_95());
        println!("      {} (± {error})\n", units::bytes(site.live.bytes));
    }
    println!(
        "  {} of {} addresses have a name.\n",
        named.named, named.addresses
    );
    let top = text::Options::for_terminal(&io::stdout()).top_sites(3);
    text::write_top(
        &report,
        unkai::report::Value::LiveBytes,
        &top,
        &mut io::stdout(),
    )?;
    println!();
    Ok(())
}

fn largest(report: &Report) -> Option<&Site> {
    let sites = report.snapshot().sites.iter();
    sites.max_by(|a, b| a.live.bytes.total_cmp(&b.live.bytes))
}

/// The innermost function of the stack that is of this program, and where it is.
fn holder(report: &Report, site: &Site) -> String {
    let frames = report.call_stack(site);
    let own = frames
        .iter()
        .find(|frame| frame.name().contains("near_oom::"));
    own.map_or_else(
        || "a function without a name".to_owned(),
        |frame| match frame.place() {
            Some(place) => format!("{}  {place}", frame.name()),
            None => frame.name().into_owned(),
        },
    )
}

/// How the program ended.
struct End {
    status: ExitStatus,
    /// What it said before.
    said: String,
}

impl End {
    fn how(&self) -> String {
        match self.status.signal() {
            Some(libc::SIGKILL) => {
                "killed by the kernel, out of memory (signal 9, SIGKILL)".to_owned()
            }
            Some(libc::SIGABRT) => {
                format!("aborted by itself (signal 6, SIGABRT): \"{}\"", self.said)
            }
            _ => format!("ended in another way ({}): \"{}\"", self.status, self.said),
        }
    }

    fn is_by_memory(&self) -> bool {
        matches!(self.status.signal(), Some(libc::SIGKILL | libc::SIGABRT))
    }
}

fn until_killed(limit: &Limit, folder: &Path) -> Result<End, Box<dyn Error>> {
    let mut program = Command::new(std::env::current_exe()?);
    program.arg(CHILD);
    limit.tell(&mut program);
    let output = program.arg(folder).output()?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Ok(End {
        status: output.status,
        said,
    })
}

fn newest_dump(folder: &Path) -> io::Result<Option<PathBuf>> {
    let mut dumps = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("unkai-dump-") {
            dumps.push(path);
        }
    }
    Ok(dumps.into_iter().max())
}

/// How often there is a whole dump that names the function.
fn count(runs: u32, place: Option<Place>, folder: &Path) -> Result<ExitCode, Box<dyn Error>> {
    let mut named = 0;
    for run in 1..=runs {
        let limit = Limit::new(place)?;
        let end = until_killed(&limit, folder)?;
        let mut found = "no dump".to_owned();
        if let Some(dump) = newest_dump(folder)? {
            let report = json::read(File::open(&dump)?)?;
            let (report, _) = offline::name(report, &offline::Options::new());
            found = largest(&report).map_or_else(String::new, |site| holder(&report, site));
            fs::remove_file(dump)?;
        }
        let is_named = end.is_by_memory() && found.contains("remember");
        named += u32::from(is_named);
        println!("{run:3}  {}: {found}", end.how());
    }
    println!("{named} of {runs} were killed and left a dump that names the function.");
    Ok(if named == runs {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Where dumps go.
struct Folder {
    path: PathBuf,
    stays: bool,
}

impl Folder {
    /// The one that was asked for, or one that is removed in the end.
    fn new(wished: Option<PathBuf>) -> io::Result<Self> {
        let stays = wished.is_some();
        let own = || std::env::temp_dir().join(format!("near_oom-{}", std::process::id()));
        let path = wished.unwrap_or_else(own);
        fs::create_dir_all(&path)?;
        Ok(Self { path, stays })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.stays {
            // What is left behind lies in a folder for such things.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

#[derive(Default)]
struct Options {
    place: Option<Place>,
    reports: Option<PathBuf>,
    runs: Option<u32>,
}

impl Options {
    fn of(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut options = Self::default();
        while let Some(argument) = arguments.next() {
            let value = arguments
                .next()
                .ok_or_else(|| format!("{argument} needs a value"))?;
            match (argument.as_str(), value.as_str()) {
                ("--in", "control-group") => options.place = Some(Place::ControlGroup),
                ("--in", "address-space") => options.place = Some(Place::AddressSpace),
                ("--reports", path) => options.reports = Some(path.into()),
                ("--runs", runs) => options.runs = Some(runs.parse()?),
                _ => return Err(format!("{argument} {value} is not understood").into()),
            }
        }
        Ok(options)
    }
}

fn in_mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

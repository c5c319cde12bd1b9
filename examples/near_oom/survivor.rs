//! The program that survives: it starts the other one, waits for its end, and reads what it has left.

use std::error::Error;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};
use std::time::SystemTime;
use std::{fmt, io};

use unkai::Site;
use unkai::report::{Report, Value, json, offline, text, units};

use super::limit::{LIMIT_BYTES, Limit, Place};
use super::service::CHILD;

/// Does as the arguments say. Fails if there was no dump.
pub(crate) fn run(arguments: impl Iterator<Item = String>) -> Result<ExitCode, Box<dyn Error>> {
    let options = Options::of(arguments)?;
    let folder = Folder::new(options.reports.as_deref())?;
    if let Some(runs) = options.runs {
        return count(runs, &options, &folder.path);
    }
    let limit = Limit::new(options.place)?;
    let bytes = units::bytes(LIMIT_BYTES as f64);
    println!("A service that leaks is started below {bytes}, in {limit}.\n");
    let end = until_killed(&limit, &options, &folder.path)?;
    println!("  ended    {end}");
    let Some(dump) = newest_dump(&folder.path)? else {
        println!("  dump     none: it was gone before one was whole");
        return Ok(ExitCode::FAILURE);
    };
    tell(&dump, &end)?;
    match folder.stays {
        true => println!("All of it: unkai name {} | unkai report -", dump.display()),
        false => println!("To keep the dump: --reports DIR"),
    }
    Ok(ExitCode::SUCCESS)
}

/// What is known of a program that is no more.
fn tell(dump: &Path, end: &End) -> Result<(), Box<dyn Error>> {
    let report = read(dump)?;
    let snapshot = report.snapshot();
    let before = end.at.duration_since(snapshot.taken_at);
    let before = units::duration(before.unwrap_or_default());
    let bytes = units::bytes(fs::metadata(dump)?.len() as f64);
    println!("  dump     {bytes}, begun {before} before the end");
    println!("           {}", dump.display());
    if let Some(site) = largest(&report) {
        let held = units::bytes(site.live.bytes);
        let error = units::bytes(site.live.bytes_error_95());
        let live = units::bytes(snapshot.totals.live_bytes() as f64);
        println!("  held     {held} (± {error}) of {live}, by");
        println!("           {}\n", holder(&report, site));
    }
    let top = text::Options::for_terminal(&io::stdout()).top_sites(3);
    text::write_top(&report, Value::LiveBytes, &top, &mut io::stdout())?;
    println!();
    Ok(())
}

/// A dump with names, from the files of the program: they are still there.
fn read(dump: &Path) -> Result<Report, Box<dyn Error>> {
    let report = json::read(File::open(dump)?)?;
    Ok(offline::name(report, &offline::Options::new()).0)
}

fn largest(report: &Report) -> Option<&Site> {
    let sites = report.snapshot().sites.iter();
    sites.max_by(|a, b| a.live.bytes.total_cmp(&b.live.bytes))
}

/// The innermost function of the stack that is of this program, and where it is.
fn holder(report: &Report, site: &Site) -> String {
    let frames = report.call_stack(site);
    let is_own = |name: &str| name.contains("near_oom::");
    let Some(own) = frames.iter().find(|frame| is_own(&frame.name())) else {
        return "no function of this program".to_owned();
    };
    let place = own.place().unwrap_or_default();
    format!("{}  {place}", own.name())
}

/// How the program ended.
struct End {
    status: ExitStatus,
    at: SystemTime,
    /// What it said before.
    last_words: String,
}

impl End {
    fn is_by_memory(&self) -> bool {
        matches!(self.status.signal(), Some(libc::SIGKILL | libc::SIGABRT))
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = &self.last_words;
        match self.status.signal() {
            Some(libc::SIGKILL) => f.write_str("killed by the kernel (signal 9, SIGKILL)"),
            Some(libc::SIGABRT) => write!(f, "aborted by itself (signal 6, SIGABRT): {said}"),
            _ => write!(f, "in another way ({}): {said}", self.status),
        }
    }
}

fn until_killed(limit: &Limit, options: &Options, folder: &Path) -> Result<End, Box<dyn Error>> {
    let mut program = Command::new(std::env::current_exe()?);
    program.arg(CHILD);
    limit.tell(&mut program);
    program.arg(folder).arg(options.keeps.to_string());
    let output = program.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    Ok(End {
        status: output.status,
        at: SystemTime::now(),
        last_words: said.lines().next().unwrap_or_default().to_owned(),
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
fn count(runs: u32, options: &Options, folder: &Path) -> Result<ExitCode, Box<dyn Error>> {
    let mut named = 0;
    for run in 1..=runs {
        let limit = Limit::new(options.place)?;
        let end = until_killed(&limit, options, folder)?;
        let mut found = "no dump".to_owned();
        if let Some(dump) = newest_dump(folder)? {
            let report = read(&dump)?;
            found = largest(&report).map_or_else(String::new, |site| holder(&report, site));
            fs::remove_file(dump)?;
        }
        named += u32::from(end.is_by_memory() && found.contains("remember"));
        println!("{run:3}  {end}\n     {found}");
    }
    println!("{named} of {runs} were killed and left a dump that names the function.");
    Ok(ExitCode::from(u8::from(named < runs)))
}

/// Where dumps go.
struct Folder {
    path: PathBuf,
    stays: bool,
}

impl Folder {
    /// The one that was asked for, or one that is removed in the end.
    fn new(wished: Option<&Path>) -> io::Result<Self> {
        let stays = wished.is_some();
        let own = || std::env::temp_dir().join(format!("near_oom-{}", std::process::id()));
        let path = wished.map_or_else(own, Path::to_owned);
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

struct Options {
    place: Option<Place>,
    reports: Option<PathBuf>,
    runs: Option<u32>,
    /// What the service keeps of each request, in bytes.
    keeps: usize,
}

impl Options {
    fn of(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut options = Self {
            place: None,
            reports: None,
            runs: None,
            keeps: 4 << 10,
        };
        while let Some(argument) = arguments.next() {
            let value = arguments.next();
            let value = value.ok_or_else(|| format!("{argument} needs a value"))?;
            match (argument.as_str(), value.as_str()) {
                ("--in", "control-group") => options.place = Some(Place::ControlGroup),
                ("--in", "address-space") => options.place = Some(Place::AddressSpace),
                ("--reports", path) => options.reports = Some(path.into()),
                ("--keeps", bytes) => options.keeps = bytes.parse()?,
                ("--runs", runs) => options.runs = Some(runs.parse()?),
                _ => return Err(format!("{argument} {value} is not understood").into()),
            }
        }
        Ok(options)
    }
}

//! `go tool pprof`.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use tempfile::TempDir;
#[cfg(target_os = "linux")]
use unkai_core::{Sampling, Site, Snapshot};
use unkai_report::{Report, Value, pprof};

use crate::samples;
use crate::tool::{self, Tool, trial};

pub(crate) fn tests() -> Vec<Trial> {
    use Tool::{Browser, Go, Graphviz};
    vec![
        trial("pprof_prints_the_totals_of_every_value", &[Go], totals),
        trial("pprof_shows_callers_by_their_names", &[Go], tree),
        trial("pprof_shows_what_must_be_known_first", &[Go], comments),
        trial(
            "pprof_subtracts_one_profile_from_another",
            &[Go],
            difference,
        ),
        trial("pprof_reads_all_that_is_written", &[Go], raw),
        trial("pprof_draws_a_graph", &[Go, Graphviz], graph),
        trial("pprof_tells_labelled_programs_apart", &[Go], labels),
        trial(
            "pprof_names_addresses_by_build_id",
            &[Go, Tool::Binutils],
            addresses,
        ),
        trial("pprof_serves_its_pages", &[Go, Graphviz], pages),
        trial(
            "pprof_looks_well_in_a_browser",
            &[Go, Graphviz, Browser],
            looks,
        ),
    ]
}

fn totals() -> Result<(), Failed> {
    let pprof = Pprof::new()?;
    let (search, change) = (samples::search_service(), samples::change());
    for (report, value, name, unit) in [
        (&search, Value::AllocatedBlocks, "alloc_objects", "count"),
        (&search, Value::AllocatedBytes, "alloc_space", "B"),
        (&search, Value::LiveBlocks, "inuse_objects", "count"),
        (&search, Value::LiveBytes, "inuse_space", "B"),
        (&search, Value::PeakBlocks, "peak_objects", "count"),
        (&search, Value::PeakBytes, "peak_space", "B"),
        (&change, Value::AllocatedBytes, "alloc_space", "B"),
        (&change, Value::LiveBytes, "inuse_space", "B"),
    ] {
        let file = pprof.save("report", report)?;
        let (index, unit) = (format!("-sample_index={name}"), format!("-unit={unit}"));
        let top = pprof.run(&["-top", "-nodefraction=0", &index, &unit, &file])?;
        let sites = report.snapshot().sites.iter();
        let total = sites.map(|site| value.of(site)).sum::<f64>().round();
        let unit = if value.is_bytes() { "B" } else { "" };
        expect(&top, &format!("accounting for {total}{unit}, "))?;
        expect(&top, &format!("Type: {name}"))?;
    }
    // Live bytes are shown without being asked for.
    let file = pprof.save("report", &search)?;
    expect(&pprof.run(&["-top", &file])?, "Type: inuse_space")
}

fn tree() -> Result<(), Failed> {
    let pprof = Pprof::new()?;
    let file = pprof.save("report", &samples::search_service())?;
    let tree = pprof.run(&["-tree", &file])?;
    expect(&tree, "34.50MB 68.31% |   <String as Clone>::clone")?;
    expect(
        &tree,
        "19.07MB 27.21%                | search::query::Query::run",
    )
}

fn comments() -> Result<(), Failed> {
    let pprof = Pprof::new()?;
    let file = pprof.save("report", &samples::troubled())?;
    let top = pprof.run(&["-top", &file])?;
    expect(&top, "Live bytes: 17.2 MiB (exact")?;
    expect(&top, "! Sampling is paused.")?;
    for mark in ["(outer frames missing)", "… (stack table full)"] {
        expect(&top, mark)?;
    }
    expect(
        &pprof.run(&["-comments", &file])?,
        "# Losses: 111 stacks deeper",
    )
}

fn difference() -> Result<(), Failed> {
    let pprof = Pprof::new()?;
    let report = samples::search_service();
    let (mut earlier, symbols) = report.clone().into_parts();
    earlier.sites[4].live.bytes -= 1_000_000.0;
    let modules = report.modules().clone();
    let earlier = Report::from_parts(earlier, symbols).with_modules(modules);
    let (base, file) = (
        pprof.save("earlier", &earlier)?,
        pprof.save("later", &report)?,
    );
    for base in [format!("-diff_base={base}"), format!("-base={base}")] {
        let top = pprof.run(&["-top", "-cum", "-unit=B", &base, &file])?;
        expect(&top, "accounting for 1000000B, ")?;
        let rows = top.lines().filter(|line| line.contains("1000000B"));
        let cache = rows.filter(|line| line.ends_with("search::cache::Cache::put"));
        if cache.count() != 1 || top.contains("search::index") {
            return Err(format!("only the cache grew:\n{top}").into());
        }
    }
    Ok(())
}

fn raw() -> Result<(), Failed> {
    let pprof = Pprof::new()?;
    let file = pprof.save("report", &samples::search_service())?;
    let raw = pprof.run(&["-raw", &file])?;
    expect(&raw, "PeriodType: space bytes")?;
    expect(&raw, "Period: 524288")?;
    expect(&raw, "inuse_objects/count inuse_space/bytes[dflt]")?;
    expect(&raw, "bytes:[24 bytes]")?;
    expect(&raw, "/usr/local/bin/search 5ea4c400010203ff [FN][FL][LN]")?;
    let hostile = pprof.save("hostile", &samples::hostile())?;
    expect(&pprof.run(&["-raw", &hostile])?, "my_app::semi;colon")
}

fn graph() -> Result<(), Failed> {
    let pprof = Pprof::new()?;
    for (name, report) in [
        ("pprof-graph.svg", samples::search_service()),
        ("pprof-graph-hostile.svg", hostile_but_short()),
    ] {
        let file = pprof.save("report", &report)?;
        let svg = pprof.run(&["-svg", &file])?;
        std::fs::write(tool::results_folder().join(name), &svg)?;
        expect(&svg, "</svg>")?;
        expect(&svg, "main")?;
        if svg.contains("<img src=x") || svg.contains("<script>alert") {
            return Err("a name broke out of the graph".into());
        }
    }
    Ok(())
}

/// Without the name of 10,000 letters, for which `dot` has no room.
fn hostile_but_short() -> Report {
    let report = samples::hostile();
    let (mut snapshot, _) = report.clone().into_parts();
    snapshot.sites.retain(|site| {
        let frames = report.call_stack(site);
        frames.iter().all(|frame| frame.short_name().len() < 1_000)
    });
    let modules = report.modules().clone();
    Report::from_parts(snapshot, report.into_parts().1).with_modules(modules)
}

fn labels() -> Result<(), Failed> {
    let pprof = Pprof::new()?;
    let files = ["one", "two"].map(|instance| {
        let options = pprof::Options::new().label("instance", instance);
        pprof.save_with(instance, &samples::search_service(), &options)
    });
    let [one, two] = files;
    let top = pprof.run(&["-top", "-tagroot=instance", &one?, &two?])?;
    for instance in ["one", "two"] {
        let found = top.lines().any(|line| {
            line.contains(" 50.00% ") && line.trim_end().ends_with(&format!(" {instance}"))
        });
        if !found {
            return Err(format!("{instance} is not half of it:\n{top}").into());
        }
    }
    Ok(())
}

/// Go's own build of pprof reads the debug information of Go programs only; the one for all others comes from the same
/// source.
#[cfg(target_os = "linux")]
fn addresses() -> Result<(), Failed> {
    let address = |function: *const ()| function as u64 + 1;
    let allocator: unsafe fn(std::alloc::Layout) -> *mut u8 = std::alloc::alloc;
    let stack = vec![
        address(allocator as *const ()),
        address(allocates as *const ()),
        address(calls as *const ()),
    ];
    let mut snapshot = Snapshot::empty(std::time::SystemTime::now());
    snapshot.sampling.mode = Sampling::EveryBlock;
    let mut site = Site::new(2, stack);
    site.live.bytes = 4096.0;
    site.live.blocks = 1.0;
    snapshot.sites.push(site);
    let report = Report::without_names(snapshot);

    let mut pprof = Pprof::new()?;
    pprof.program = standalone(pprof.folder.path())?;
    let file = pprof.save("report", &report)?;
    let top = pprof.run(&["-top", "-unit=B", &file])?;
    for (flat, name) in [("4096B ", "::allocates"), ("0 ", "::calls")] {
        let row = |line: &str| line.trim_start().starts_with(flat) && line.ends_with(name);
        if !top.lines().any(row) || top.contains("alloc::alloc::alloc") {
            return Err(format!("{name} has not {flat}:\n{top}").into());
        }
    }
    let options = pprof::Options::new().whole_stacks(true);
    let whole = pprof.save_with("whole", &report, &options)?;
    expect(&pprof.run(&["-top", &whole])?, "alloc::alloc::alloc")
}

#[cfg(target_os = "linux")]
#[inline(never)]
fn allocates(size: usize) -> Vec<u8> {
    vec![1; size * 3]
}

#[cfg(target_os = "linux")]
#[inline(never)]
fn calls(size: usize) -> usize {
    allocates(size).len() + allocates(size / 2).len() * 7
}

/// Builds pprof from the source that comes with Go.
#[cfg(target_os = "linux")]
fn standalone(folder: &Path) -> Result<PathBuf, Failed> {
    const MAIN: &str = r#"
        package main
        import ("fmt"; "os"; "github.com/google/pprof/driver")
        func main() {
            if err := driver.PProf(&driver.Options{}); err != nil {
                fmt.Fprintln(os.Stderr, err)
                os.Exit(2)
            }
        }
    "#;
    let root = tool::output("go", ["env", "GOROOT"])?;
    let vendor = Path::new(root.trim()).join("src/cmd/vendor/github.com");
    let (source, program) = (folder.join("src"), folder.join("pprof-standalone"));
    std::fs::create_dir_all(source.join("github.com"))?;
    for owner in ["google", "ianlancetaylor"] {
        let link = source.join("github.com").join(owner);
        std::os::unix::fs::symlink(vendor.join(owner), link)?;
    }
    std::fs::write(source.join("main.go"), MAIN)?;
    let mut go = Command::new("go");
    go.args(["build", "-o"])
        .args([&program, &source.join("main.go")]);
    // Without modules, sources are looked for in a folder alone.
    go.env("GO111MODULE", "off").env("GOPATH", folder);
    go.env("GOCACHE", folder.join("cache"));
    tool::output_of(&mut go)?;
    Ok(program)
}

fn pages() -> Result<(), Failed> {
    let pprof = Pprof::new()?;
    for (report, name) in [
        (samples::search_service(), "search::cache::Cache::put"),
        (samples::hostile(), "my_app::main"),
        (samples::many_sites(2_000), "big::part"),
    ] {
        let file = pprof.save("report", &report)?;
        let server = Server::start(&pprof, &file)?;
        for page in ["/ui/top", "/ui/flamegraph"] {
            let text = server.get(page)?;
            expect(&text, "200 OK")?;
            expect(&text, name)?;
            if text.contains("<script>alert") || text.contains("<img src=x") {
                return Err(format!("a name broke out of {page}").into());
            }
        }
    }
    Ok(())
}

fn looks() -> Result<(), Failed> {
    let pprof = Pprof::new()?;
    for (name, report) in [
        ("pprof-search", samples::search_service()),
        ("pprof-troubled", samples::troubled()),
        ("pprof-change", samples::change()),
    ] {
        let file = pprof.save("report", &report)?;
        let server = Server::start(&pprof, &file)?;
        let pictures = tool::results_folder().join(name);
        let arguments = [
            server.address.clone().into(),
            pictures.clone().into_os_string(),
        ];
        let seen = tool::browse("pprof.mjs", arguments)?;
        expect(&seen, "search::main\n").or_else(|_| expect(&seen, "search::cache::Cache::put"))?;
        if seen.contains("error:") {
            return Err(seen.into());
        }
    }
    Ok(())
}

/// The program, and a folder for it that the test leaves no trace of.
struct Pprof {
    /// Itself, not by way of `go`, which would outlive it.
    program: PathBuf,
    folder: TempDir,
}

impl Pprof {
    fn new() -> Result<Self, Failed> {
        let program = tool::output("go", ["tool", "-n", "pprof"])?;
        Ok(Self {
            program: PathBuf::from(program.trim()),
            folder: tempfile::tempdir()?,
        })
    }

    fn save(&self, name: &str, report: &Report) -> Result<String, Failed> {
        self.save_with(name, report, &pprof::Options::new())
    }

    fn save_with(
        &self,
        name: &str,
        report: &Report,
        options: &pprof::Options,
    ) -> Result<String, Failed> {
        let path = self.folder.path().join(name).with_extension("pb.gz");
        pprof::write(report, options, &mut File::create(&path)?)?;
        Ok(path.display().to_string())
    }

    fn run(&self, arguments: &[&str]) -> Result<String, Failed> {
        tool::output_of(self.command().args(arguments))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env("HOME", self.folder.path())
            .env("PPROF_TMPDIR", self.folder.path())
            .env_remove("PPROF_BINARY_PATH");
        command
    }
}

/// Its web pages, until it is dropped.
struct Server {
    process: Child,
    /// Such as `127.0.0.1:4321`.
    address: String,
}

impl Server {
    fn start(pprof: &Pprof, file: impl AsRef<Path>) -> Result<Self, Failed> {
        // Free now; nobody else is likely to take it before pprof does.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let process = pprof
            .command()
            .args([&format!("-http={address}"), "-no_browser"])
            .arg(file.as_ref())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let server = Self { process, address };
        let start = Instant::now();
        while TcpStream::connect(&server.address).is_err() {
            if start.elapsed() > Duration::from_secs(30) {
                return Err("pprof does not serve its pages".into());
            }
            sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    fn get(&self, page: &str) -> Result<String, Failed> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let host = &self.address;
        write!(stream, "GET {page} HTTP/1.0\r\nHost: {host}\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which the test has noticed then.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn expect(text: &str, part: &str) -> Result<(), Failed> {
    match text.contains(part) {
        true => Ok(()),
        false => {
            let text: String = text.chars().take(3_000).collect();
            Err(format!("{part:?} is not in\n{text}").into())
        }
    }
}

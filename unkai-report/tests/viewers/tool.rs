//! The viewers: whether they are there, and how they are called.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use libtest_mimic::{Failed, Trial};

/// Something that a test needs, and that may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// `go tool pprof`.
    Go,
    /// `dot`, which draws graphs.
    Graphviz,
    /// `addr2line` and others, which name addresses.
    Binutils,
    /// Chromium, node, and the packages of `browser/package.json`.
    Browser,
    /// DHAT's viewer, a page that comes with valgrind.
    DhatViewer,
    /// A Prometheus server, and `promtool`.
    Prometheus,
}

impl Tool {
    /// What is missing of it, in words.
    fn missing(self) -> Option<&'static str> {
        match self {
            Self::Go => (!runs("go", ["version"])).then_some("go"),
            Self::Graphviz => (!runs("dot", ["-V"])).then_some("dot"),
            Self::Binutils => (!runs("addr2line", ["--version"])).then_some("addr2line"),
            Self::Browser if !runs("node", ["--version"]) => Some("node"),
            Self::Browser if chromium().is_none() => Some("chromium"),
            Self::Browser => (!browser_folder().join("node_modules").is_dir())
                .then_some("the npm packages of tests/viewers/browser"),
            Self::DhatViewer => dhat_viewer().is_none().then_some("valgrind's dh_view.html"),
            Self::Prometheus if !runs("promtool", ["--version"]) => Some("promtool"),
            Self::Prometheus => (!runs("prometheus", ["--version"])).then_some("prometheus"),
        }
    }
}

/// A test that needs `tools`. Ignored, with a word on why, where one of them is missing.
pub(crate) fn trial(
    name: &str,
    tools: &[Tool],
    run: impl FnOnce() -> Result<(), Failed> + Send + 'static,
) -> Trial {
    let missing = tools.iter().find_map(|tool| tool.missing());
    if let Some(missing) = missing {
        eprintln!("skipped: {name}: {missing} is not installed; ci/viewers.sh installs it");
    }
    Trial::test(name, run).with_ignored_flag(missing.is_some())
}

/// What `program` prints. An error if it fails, with all that it printed.
pub(crate) fn output<S: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    arguments: impl IntoIterator<Item = S>,
) -> Result<String, Failed> {
    output_of(Command::new(program).args(arguments))
}

/// Like [`output`], for a command that needs more than arguments.
pub(crate) fn output_of(command: &mut Command) -> Result<String, Failed> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        Ok(text)
    } else {
        let errors = String::from_utf8_lossy(&output.stderr);
        Err(format!("{command:?}: {}\n{text}\n{errors}", output.status).into())
    }
}

/// What a script of the folder `browser` prints, run by node with the path of Chromium as its first argument.
pub(crate) fn browse<S: AsRef<OsStr>>(
    script: &str,
    arguments: impl IntoIterator<Item = S>,
) -> Result<String, Failed> {
    let script = browser_folder().join(script);
    let chromium = chromium().ok_or("chromium is not installed")?;
    let mut all = vec![script.into_os_string(), chromium.into_os_string()];
    all.extend(
        arguments
            .into_iter()
            .map(|argument| argument.as_ref().to_owned()),
    );
    output("node", all)
}

/// The folder of `dh_view.html`.
pub(crate) fn dhat_viewer() -> Option<PathBuf> {
    let folders = ["/usr/libexec/valgrind", "/usr/lib/valgrind"];
    let viewers = folders.map(|folder| Path::new(folder).join("dh_view.html"));
    viewers.into_iter().find(|viewer| viewer.is_file())
}

/// Where screenshots and other results are left to be looked at.
pub(crate) fn results_folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("viewers");
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

fn runs<const N: usize>(program: &str, arguments: [&str; N]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

fn chromium() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let programs = names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    programs.into_iter().find(|program| program.is_file())
}

fn browser_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/viewers/browser")
}

//! This very program once more, in a process of its own that may end as it likes.
//!
//! A program for another processor is not started by the system but by an emulator: `UNKAI_SCENARIOS_STARTER` names the command
//! that does.

use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A program that takes longer hangs.
const AT_MOST: Duration = Duration::from_secs(60);

/// What ended, and what it has said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) said: String,
}

/// Plays a scenario in another process, in the `variant` that [`variant`] tells it; `prepare` may change its command.
pub(crate) fn play(
    scenario: &str,
    variant: usize,
    prepare: impl FnOnce(&mut Command) -> &mut Command,
) -> Ended {
    let program = std::env::var_os(STARTER).map_or_else(
        || std::env::current_exe().expect("the program knows where it is"),
        PathBuf::from,
    );
    let interval = std::env::args().nth(2).expect("a scenario has an interval");
    let mut command = Command::new(program);
    command
        .args([scenario, &interval])
        .env(VARIANT, variant.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = prepare(&mut command).spawn().expect("it starts");
    let status = wait(&mut child, &format!("{scenario}, variant {variant}"));
    let mut stderr = child.stderr.take().expect("piped");
    let said = std::io::read_to_string(&mut stderr).expect("text");
    Ended { status, said }
}

/// The variant that this process is to play: 0 unless it was started by [`play`].
pub(crate) fn variant() -> usize {
    std::env::var(VARIANT).map_or(0, |variant| variant.parse().expect("a number"))
}

/// Its words fit into the pipe, which nobody empties meanwhile.
fn wait(child: &mut Child, context: &str) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("it is ours") {
            return status;
        }
        if start.elapsed() > AT_MOST {
            child.kill().expect("it is ours");
            panic!("{context}: still running after {AT_MOST:?}");
        }
        thread::sleep(Duration::from_millis(1));
    }
}

const STARTER: &str = "UNKAI_SCENARIOS_STARTER";
const VARIANT: &str = "UNKAI_SCENARIO_VARIANT";

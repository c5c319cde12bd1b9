//! A subject's process, as the driver sees it.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child as Process, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::options::Options;
use crate::subjects::{Role, Subject};

/// A running subject. Ended when it is dropped.
pub(crate) struct Child {
    process: Process,
    requests: Option<ChildStdin>,
    answers: Receiver<String>,
    patience: Duration,
    /// What heaptrack calls its file.
    record: Option<PathBuf>,
}

impl Child {
    /// Starts the subject's process. The error is for people.
    pub(crate) fn start(subject: &Subject, options: &Options) -> Result<Self, String> {
        let path = subject.path(options).ok_or("not built")?;
        if !path.exists() {
            return Err(why_not_built(&path));
        }
        let (mut command, record) = match subject.role {
            Role::Heaptrack => {
                let record = record_path();
                let mut command = Command::new("heaptrack");
                command.arg("--output").arg(&record).arg(path);
                (command, Some(record))
            }
            _ => (Command::new(path), None),
        };
        command
            .env_remove("_RJEM_MALLOC_CONF")
            .env_remove("MIMALLOC_PROF")
            .envs(subject.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0);
        let mut process = command.spawn().map_err(|error| {
            let missing = error.kind() == io::ErrorKind::NotFound;
            match subject.role {
                Role::Heaptrack if missing => "skipped: not installed".to_owned(),
                _ => error.to_string(),
            }
        })?;
        let out = process.stdout.take().expect("it is piped");
        let (answer, answers) = channel();
        thread::spawn(move || {
            let lines = BufReader::new(out).lines().map_while(Result::ok);
            for line in lines {
                if let Some(text) = line.strip_prefix("= ")
                    && answer.send(text.to_owned()).is_err()
                {
                    break;
                }
            }
        });
        Ok(Self {
            requests: process.stdin.take(),
            process,
            answers,
            patience: options.patience,
            record,
        })
    }

    /// Prepares a workload on these cores, to be waited for with [`Child::answer`], twice.
    pub(crate) fn prepare(&mut self, workload: &str, cores: &[usize]) -> Result<(), String> {
        let cores: Vec<String> = cores.iter().map(usize::to_string).collect();
        self.request(&format!("cpus {}", cores.join(",")))?;
        self.request(&format!("workload {workload}"))
    }

    /// Waits for what [`Child::prepare`] began.
    pub(crate) fn prepared(&mut self) -> Result<(), String> {
        self.answer()?;
        self.answer().map(drop)
    }

    /// Seconds that so many operations took.
    pub(crate) fn run(&mut self, operations: u64) -> Result<f64, String> {
        let nanoseconds = self.number(&format!("run {operations}"))?;
        Ok(nanoseconds as f64 / 1e9)
    }

    /// The most bytes that were resident so far.
    pub(crate) fn peak(&mut self) -> Result<u64, String> {
        self.number("peak")
    }

    /// What the profiler has to show, or why it has nothing.
    pub(crate) fn proof(&mut self) -> Result<String, String> {
        self.request("proof")?;
        let answer = self.answer()?;
        match answer.split_once(' ') {
            Some(("yes", what)) => Ok(what.to_owned()),
            Some((_, why)) => Err(why.to_owned()),
            None => Err(answer),
        }
    }

    /// Lets the process end by itself, and returns how many bytes heaptrack wrote.
    pub(crate) fn finish(mut self) -> u64 {
        self.end();
        self.recorded_files()
            .iter()
            .filter_map(|file| fs::metadata(file).ok())
            .map(|metadata| metadata.len())
            .sum()
    }

    fn number(&mut self, request: &str) -> Result<u64, String> {
        self.request(request)?;
        let answer = self.answer()?;
        answer
            .parse()
            .map_err(|_| format!("answered {answer:?} to {request:?}"))
    }

    fn request(&mut self, line: &str) -> Result<(), String> {
        let requests = self.requests.as_mut().expect("open until the end");
        // Of a process that is gone, the answer will tell.
        writeln!(requests, "{line}").or(Ok(()))
    }

    fn answer(&mut self) -> Result<String, String> {
        match self.answers.recv_timeout(self.patience) {
            Ok(answer) => Ok(answer),
            Err(RecvTimeoutError::Timeout) => {
                self.kill();
                Err(format!(
                    "hung for {} s and was killed",
                    self.patience.as_secs()
                ))
            }
            Err(RecvTimeoutError::Disconnected) => Err(match self.process.wait() {
                Ok(status) => format!("died: {status}"),
                Err(error) => error.to_string(),
            }),
        }
    }

    /// Closes its input and waits a little, then kills it.
    fn end(&mut self) {
        drop(self.requests.take());
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            match self.process.try_wait() {
                Ok(None) => thread::sleep(Duration::from_millis(1)),
                _ => return,
            }
        }
        self.kill();
    }

    /// Kills the process, and with it what a launcher has started: they are a group of their own.
    fn kill(&mut self) {
        if let Ok(None) = self.process.try_wait() {
            // SAFETY: the group is that of our child, which was not waited for yet.
            unsafe { libc::killpg(self.process.id() as libc::pid_t, libc::SIGKILL) };
        }
        drop(self.process.wait());
    }

    fn recorded_files(&self) -> Vec<PathBuf> {
        let Some(record) = &self.record else {
            return Vec::new();
        };
        ["zst", "gz"]
            .map(|ending| PathBuf::from(format!("{}.{ending}", record.display())))
            .into()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.end();
        for file in self.recorded_files() {
            // One of them is there, if heaptrack ran.
            drop(fs::remove_file(file));
        }
    }
}

/// A name for heaptrack's file, another one each time.
fn record_path() -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("unkai-peers-{}-{number}", std::process::id()))
}

/// `run.sh` leaves the compiler's words beside what it could not build.
fn why_not_built(path: &Path) -> String {
    match fs::read_to_string(path.with_extension("failed")) {
        Ok(words) => format!("could not be built: {}", words.trim()),
        Err(_) => "not built".to_owned(),
    }
}

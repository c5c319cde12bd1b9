//! The same measurement in a process without unkai: both ends of the pipe.

use std::alloc::GlobalAlloc;
use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::clock;
use crate::latency::{Moments, Probe, Rounds, Row, Slice};

/// The child's side: does what it is told on standard input, until that ends.
///
/// # Errors
/// If nobody reads its answers.
pub fn serve(heap: &impl GlobalAlloc) -> io::Result<()> {
    let nanoseconds = clock::nanoseconds_per_tick();
    let (mut probe, mut rounds) = (Probe::new(), Rounds::new(MOST_ROUNDS));
    for line in io::stdin().lines() {
        let line = line?;
        let mut words = line.split(' ');
        let command = words.next();
        let mut number = || {
            words
                .next()
                .and_then(|word| word.parse().ok())
                .unwrap_or(0_u64)
        };
        let mut answer = "done".to_owned();
        match command {
            Some("slice") => {
                let slice = Slice {
                    seed: number(),
                    lasts: Duration::from_micros(number()),
                };
                let moments = Moments::default();
                match number() {
                    1 => moments.report_begins(),
                    2 => moments.dense_begins(),
                    _ => {}
                }
                probe.slice(heap, slice, &moments, &mut rounds.record);
            }
            Some("round") => rounds.end_round(),
            Some("forget") => rounds.forget_round(),
            Some("rows") => answer = serde_json::to_string(&rounds.rows(nanoseconds))?,
            _ => answer = format!("`{line}` is no command"),
        }
        println!("{answer}");
    }
    Ok(())
}

/// The other side: the process, and the way to it.
pub(crate) struct Apart {
    child: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    answer: String,
}

/// A day's, at six a minute.
const MOST_ROUNDS: usize = 10_000;

impl Apart {
    /// Starts the program `soak-bare`, which stands beside this one.
    pub(crate) fn start() -> io::Result<Self> {
        let program = env::current_exe()?.with_file_name("soak-bare");
        let mut child = Command::new(&program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| io::Error::other(format!("{}: {error}", program.display())))?;
        let commands = child.stdin.take();
        let answers = child.stdout.take().expect("it was asked for");
        Ok(Self {
            child,
            commands,
            answers: BufReader::new(answers),
            answer: String::with_capacity(64),
        })
    }

    pub(crate) fn slice(&mut self, slice: Slice, moment: usize) {
        let (seed, lasts) = (slice.seed, slice.lasts.as_micros());
        self.ask(format_args!("slice {seed} {lasts} {moment}\n"));
    }

    pub(crate) fn end_round(&mut self, counts: bool) {
        let command = if counts { "round\n" } else { "forget\n" };
        self.ask(format_args!("{command}"));
    }

    /// What it has measured; it ends then.
    pub(crate) fn rows(mut self) -> Vec<Row> {
        self.ask(format_args!("rows\n"));
        let rows = serde_json::from_str(&self.answer).expect("the child writes what is read here");
        drop(self.commands.take());
        let ended = self.child.wait().expect("it was started");
        assert!(ended.success(), "soak-bare: {ended}");
        rows
    }

    fn ask(&mut self, command: std::fmt::Arguments<'_>) {
        let commands = self.commands.as_mut().expect("it is there until the end");
        commands.write_fmt(command).expect("soak-bare lives");
        self.answer.clear();
        self.answers
            .read_line(&mut self.answer)
            .expect("soak-bare lives");
        assert!(!self.answer.is_empty(), "soak-bare has ended");
    }
}

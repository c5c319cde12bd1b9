//! What the driver is asked for.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

/// The command line, understood.
#[derive(Clone)]
pub(crate) struct Options {
    /// Turns that each subject takes, over all starts.
    pub(crate) rounds: usize,
    /// How often the processes are started anew: one process may be lucky with its pages.
    pub(crate) starts: usize,
    /// How long a slice of a bare heap is meant to take.
    pub(crate) slice: Duration,
    /// After this, a slice hangs.
    pub(crate) patience: Duration,
    /// Fresh processes for each figure of memory.
    pub(crate) memory_runs: usize,
    /// Pairs of the shorter run under callgrind.
    pub(crate) counted_pairs: u64,
    pub(crate) markdown: bool,
    /// The folder of the subjects: the driver's own.
    pub(crate) folder: PathBuf,
    /// The folder of those built with frame pointers, if there are any.
    pub(crate) frame_pointers_folder: Option<PathBuf>,
    /// How the subjects were built, in words.
    pub(crate) build: String,
    workloads: Vec<String>,
    subjects: Vec<String>,
    tables: Vec<String>,
}

const USAGE: &str = "usage: compare [--rounds N] [--starts N] [--workloads A,B] [--subjects A,B] \
    [--tables times,memory,instructions,every-block] [--quick] [--markdown] [--timeout SECONDS] \
    [--frame-pointers-folder FOLDER] [--build TEXT]";

impl Options {
    pub(crate) fn from_arguments() -> Result<Self, String> {
        let folder = env::current_exe().map_err(|error| error.to_string())?;
        let folder = folder.parent().ok_or("no folder")?.to_owned();
        let mut options = Self {
            rounds: 60,
            starts: 6,
            slice: Duration::from_millis(12),
            patience: Duration::from_secs(30),
            memory_runs: 5,
            counted_pairs: 500_000,
            markdown: false,
            folder,
            frame_pointers_folder: None,
            build: "profile release".to_owned(),
            workloads: Vec::new(),
            subjects: Vec::new(),
            tables: Vec::new(),
        };
        let mut arguments = env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| USAGE.to_owned());
            match argument.as_str() {
                "--rounds" => options.rounds = count(&value()?)?,
                "--starts" => options.starts = count(&value()?)?,
                "--workloads" => options.workloads = list(&value()?),
                "--subjects" => options.subjects = list(&value()?),
                "--tables" => options.tables = list(&value()?),
                "--timeout" => options.patience = Duration::from_secs(count(&value()?)? as u64),
                "--frame-pointers-folder" => {
                    options.frame_pointers_folder = Some(value()?.into());
                }
                "--build" => options.build = value()?,
                "--markdown" => options.markdown = true,
                "--quick" => {
                    options.rounds = 9;
                    options.starts = 1;
                    options.slice = Duration::from_millis(5);
                    options.memory_runs = 1;
                    options.counted_pairs = 100_000;
                }
                _ => return Err(USAGE.to_owned()),
            }
        }
        options.starts = options.starts.min(options.rounds);
        Ok(options)
    }

    /// The same for large ratios, which need fewer rounds, of subjects that need more time.
    pub(crate) fn with_fewer_rounds(&self) -> Self {
        Self {
            rounds: self.rounds.div_ceil(4),
            starts: self.starts.div_ceil(2),
            ..self.clone()
        }
    }

    /// Whether this workload is asked for: its whole name is in the list, or there is no list.
    pub(crate) fn wants_workload(&self, name: &str) -> bool {
        self.workloads.is_empty() || self.workloads.iter().any(|wanted| name == wanted)
    }

    /// Whether this subject is asked for: a part of its name is in the list, or there is no list.
    pub(crate) fn wants_subject(&self, name: &str) -> bool {
        self.subjects.is_empty() || self.subjects.iter().any(|wanted| name.contains(wanted))
    }

    pub(crate) fn wants_table(&self, name: &str) -> bool {
        self.tables.is_empty() || self.tables.iter().any(|wanted| name == wanted)
    }
}

fn count(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|&number| number > 0);
    number.ok_or_else(|| USAGE.to_owned())
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::to_owned).collect()
}

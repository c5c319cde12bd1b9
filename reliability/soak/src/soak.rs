//! The run: rounds of load, and a look at everything after each.

use std::fs;
use std::io;
use std::panic;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use unkai::Sampling;
use unkai::http::{Server, Serving};

use crate::Heap;
use crate::bare::Apart;
use crate::clock;
use crate::control::{Control, USUAL_INTERVAL};
use crate::gate::Gate;
use crate::judge::judge;
use crate::latency::{Measured, Moments, Rounds, Turns};
use crate::load::tide::{Crossings, Tide};
use crate::load::{self, Tree};
use crate::machine;
use crate::options::Options;
use crate::outcome::{Outcome, bytes, digits};
use crate::plant::{Plant, Planted};
use crate::random::Random;
use crate::reporter::{Done, Reporter};
use crate::rest::{Rest, Totals};
use crate::rules::{LIMIT, Rules};
use crate::scraper::Scraper;

/// From one rest to the next, roughly.
const ROUND: Duration = Duration::from_secs(10);
/// Of three rounds one is quiet: without requests, and without rules that fire.
const QUIET: u64 = 2;
/// Of three rounds one is with a limit of the process that the tide exceeds.
const LIMITED: u64 = 0;

/// Runs as the arguments say.
pub fn main(heap: &'static Heap) -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err((words, is_error)) => {
            eprint!("{words}");
            return if is_error {
                ExitCode::FAILURE
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    // A thread of load that panics has found something; the others would wait for it.
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        tell(info);
        eprintln!("\nFAILED: a check within the load did not hold: see above");
        std::process::exit(1);
    }));
    match run(heap, &options) {
        Ok(outcome) => {
            print!("{outcome}");
            if outcome.passed {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(heap: &'static Heap, options: &Options) -> io::Result<Outcome> {
    let mut run = Run::start(heap, options)?;
    while !run.is_over() {
        run.round();
        if let Some((name, words)) = &run.wrong {
            println!("stopped: {name}: {words}");
            break;
        }
        run.progress();
    }
    let outcome = run.end()?;
    if let Some(path) = &options.json {
        fs::write(path, serde_json::to_vec_pretty(&outcome)?)?;
    }
    Ok(outcome)
}

/// Everything that is at work, and what was seen of it so far.
pub(crate) struct Run {
    pub(crate) heap: &'static Heap,
    pub(crate) options: Options,
    pub(crate) begun: Instant,
    rounds: u64,
    pub(crate) warm_up: u64,
    pub(crate) round: u64,
    gate: Arc<Gate>,
    load: Vec<JoinHandle<()>>,
    pub(crate) tree: Arc<Tree>,
    pub(crate) rules: Option<Rules>,
    serving: Option<Serving>,
    crossings: Arc<Crossings>,
    pulls: u64,
    pub(crate) asked: Arc<AtomicU64>,
    pub(crate) reported: Arc<Done>,
    pub(crate) measured: Arc<Mutex<Option<Measured>>>,
    pub(crate) nanoseconds: f64,
    pub(crate) totals: Totals,
    pub(crate) rests: Vec<Rest>,
    /// The first thing that was exact and wrong.
    pub(crate) wrong: Option<(&'static str, String)>,
    pub(crate) seen: Seen,
    told_progress: Duration,
    /// Threads and descriptors before anything was started.
    before: (u64, u64),
    idle: (u64, u64),
}

/// What was seen while all was at work, and by the way.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) highest_resident: u64,
    pub(crate) highest_resident_early: u64,
    pub(crate) highest_report_bytes: u64,
    pub(crate) highest_report_files: u64,
    pub(crate) lowest_load: f64,
    pub(crate) highest_load: f64,
    pub(crate) crossings: u64,
    /// Firings, crossings that a cool-down suppressed, reports that were written.
    pub(crate) tally: [u64; 3],
    pub(crate) reclaimed: u64,
    /// Answers over HTTP; connections that failed or were closed for want of room.
    pub(crate) http_failed: u64,
    pub(crate) threads_at_the_end: (u64, u64),
    pub(crate) descriptors_at_the_end: (u64, u64),
}

impl Run {
    fn start(heap: &'static Heap, options: &Options) -> io::Result<Self> {
        let before = (machine::threads(), machine::descriptors());
        let rounds = (options.lasts.as_secs_f64() / ROUND.as_secs_f64()).round() as u64;
        let nanoseconds = clock::nanoseconds_per_tick();
        let moments = Arc::new(Moments::default());
        let tree = Arc::new(Tree::new());
        let rules = Rules::start(&moments)?;
        let serving = Server::new().address(([127, 0, 0, 1], 0)).start();
        let serving = serving.map_err(io::Error::other)?;
        let gate = Arc::new(Gate::default());
        let mut load = load::start(&gate, options.seed, &tree);
        let measured = Arc::new(Mutex::new(Some(Measured {
            bare: Rounds::new(rounds as usize),
            unkai: Rounds::new(rounds as usize),
            apart: Apart::start()?,
        })));
        let (asked, reported) = (Arc::<AtomicU64>::default(), Arc::<Done>::default());
        let crossings = Arc::new(Crossings::default());

        let (given, to_moments) = (Arc::clone(&crossings), Arc::clone(&moments));
        load.push(gate.start("tide", move || Box::new(Tide::new(given, to_moments))));
        let to_moments = Arc::clone(&moments);
        load.push(gate.start("control", move || Box::new(Control::new(heap, to_moments))));
        let (to_moments, done) = (Arc::clone(&moments), Arc::clone(&reported));
        load.push(gate.start("reporter", move || {
            Box::new(Reporter::new(heap, to_moments, done))
        }));
        let (to_moments, done) = (Arc::clone(&moments), Arc::clone(&asked));
        let server = serving.local_addr();
        load.push(gate.start("scraper", move || {
            Box::new(Scraper::new(server, to_moments, done))
        }));
        let slower = match options.plant {
            Some(Plant::Slow) => (100.0 / nanoseconds) as u64,
            _ => 0,
        };
        let (given, random) = (Arc::clone(&measured), Random::new(options.seed ^ 0x50a4));
        load.push(gate.start("probe", move || {
            Box::new(Turns::new(heap, random, moments, given, slower))
        }));
        match options.plant {
            Some(Plant::Crossing) => crossings.add_one(),
            Some(Plant::Scope) => tree.leak(),
            Some(plant) => {
                load.push(gate.start("plant", move || Box::new(Planted::new(plant, heap))));
            }
            None => {}
        }
        gate.close();
        let idle = (machine::threads(), machine::descriptors());
        Ok(Self {
            heap,
            options: options.clone(),
            begun: Instant::now(),
            rounds,
            warm_up: (rounds / 5).clamp(3, 30),
            round: 0,
            gate,
            load,
            tree,
            rules: Some(rules),
            serving: Some(serving),
            crossings,
            pulls: 0,
            asked,
            reported,
            measured,
            nanoseconds,
            totals: Totals::default(),
            rests: Vec::with_capacity(rounds as usize),
            wrong: None,
            seen: Seen {
                lowest_load: f64::INFINITY,
                ..Seen::default()
            },
            told_progress: Duration::ZERO,
            before,
            idle,
        })
    }

    fn is_over(&self) -> bool {
        self.round == self.rounds
    }

    pub(crate) fn is_warm(&self) -> bool {
        self.round >= self.warm_up
    }

    fn round(&mut self) {
        let kind = self.round % 3;
        let is_quiet = kind == QUIET;
        let heap = &self.heap.inner;
        let reclaimed = self.rules().reclaimed();
        let crossings = self.crossings.done();
        heap.set_limit((kind == LIMITED).then_some(LIMIT));
        if !is_quiet {
            self.rules().trigger.pull();
            self.pulls += 1;
        }
        self.gate.open(is_quiet);
        let start = Instant::now();
        while start.elapsed() < ROUND {
            thread::sleep(Duration::from_millis(500));
            if kind != LIMITED && start.elapsed() > ROUND / 2 {
                heap.set_limit(Some(1 << 40));
            }
            self.look_in_motion();
        }
        self.gate.close();
        self.rest(is_quiet);
        let asked = self.rules().reclaimed() - reclaimed;
        let needed = match kind == LIMITED {
            true => self.crossings.done() - crossings,
            false => 0,
        };
        if asked < needed || (needed == 0 && asked > 0) {
            let words = format!(
                "reclaimers were asked {asked} times where the limit was exceeded {needed} times"
            );
            self.note("reclaim", words);
        }
        let mut measured = self.measured.lock().expect("nobody panics");
        let measured = measured.as_mut().expect("the run is not over");
        measured.end_round(self.round >= self.warm_up);
        self.round += 1;
    }

    fn look_in_motion(&mut self) {
        let resident = machine::resident_bytes();
        let (files, bytes) = self.rules().reports();
        let load = machine::load_average();
        let is_early = self.round < self.warm_up + (self.rounds - self.warm_up) / 3;
        let seen = &mut self.seen;
        seen.highest_resident = seen.highest_resident.max(resident);
        if is_early {
            seen.highest_resident_early = seen.highest_resident_early.max(resident);
        }
        seen.highest_report_bytes = seen.highest_report_bytes.max(bytes);
        seen.highest_report_files = seen.highest_report_files.max(files);
        seen.lowest_load = seen.lowest_load.min(load);
        seen.highest_load = seen.highest_load.max(load);
    }

    /// All threads of load rest: what unkai's own threads do comes to its end, and then everything is exact.
    fn rest(&mut self, is_quiet: bool) {
        self.tree.sweep();
        self.rules().settle(self.heap);
        self.wait_for_threads_to_end();
        let wrong = self.totals.compare(self.heap, is_quiet);
        self.note_if("totals", wrong);
        let (crossings, pulls) = (self.crossings.done(), self.pulls);
        let wrong = self.rules().wrong_at_rest(self.heap, crossings, pulls);
        self.note_if("rules", wrong);
        let wrong = self.tree.wrong_at_rest();
        self.note_if("scopes", wrong);
        let wrong = self.wrong_sampling();
        self.note_if("sampling", wrong);
        machine::give_back();
        let seconds = self.begun.elapsed().as_secs_f64();
        let reports = self.rules().reports();
        self.rests.push(Rest::look(self.heap, seconds, reports));
        self.seen.crossings = crossings;
        self.seen.tally = self.rules().tally(self.heap);
        self.seen.reclaimed = self.rules().reclaimed();
    }

    /// Connections that were answered close, and threads that were joined end, a moment later.
    fn wait_for_threads_to_end(&self) {
        let start = Instant::now();
        while (machine::threads(), machine::descriptors()) != self.idle
            && start.elapsed() < Duration::from_secs(5)
        {
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Whether sampling is as it was, after rules and operators have changed it for a while.
    fn wrong_sampling(&self) -> Option<String> {
        let sampling = self.heap.aside(|| self.heap.inner.snapshot().sampling);
        let usual = Sampling::Bytes {
            interval: USUAL_INTERVAL,
        };
        let is_usual = sampling.mode == usual && !sampling.paused && sampling.widened.is_none();
        (!is_usual).then(|| format!("{sampling:?}"))
    }

    fn rules(&self) -> &Rules {
        self.rules.as_ref().expect("the run is not over")
    }

    fn note_if(&mut self, name: &'static str, wrong: Option<String>) {
        if let Some(words) = wrong {
            self.note(name, words);
        }
    }

    fn note(&mut self, name: &'static str, words: String) {
        let round = self.round;
        let words = format!("after round {round}: {words}");
        self.wrong.get_or_insert((name, words));
    }

    fn progress(&mut self) {
        let elapsed = self.begun.elapsed();
        if elapsed < self.told_progress {
            return;
        }
        self.told_progress = elapsed + Duration::from_secs(25);
        let Some(rest) = self.rests.last() else {
            return;
        };
        println!(
            "{:>3}:{:02}  {}  live {}, RSS {}, unkai's own {}; {} rounds exact, {} firings, {} reports, {} requests",
            elapsed.as_secs() / 60,
            elapsed.as_secs() % 60,
            if self.is_warm() {
                "measuring"
            } else {
                "warming  "
            },
            bytes(rest.live_bytes as f64),
            bytes(rest.resident_bytes as f64),
            bytes(rest.own_bytes as f64),
            self.totals.agreed,
            digits(self.seen.tally[0]),
            digits(self.reported.reports.load(Ordering::Relaxed)),
            digits(self.asked.load(Ordering::Relaxed)),
        );
    }

    /// Ends everything, and looks whether all of it has ended.
    fn end(mut self) -> io::Result<Outcome> {
        self.gate.end();
        for thread in self.load.drain(..) {
            thread.join().expect("a panic has ended the process");
        }
        if let Some(serving) = self.serving.take() {
            let counts = serving.counts();
            self.seen.http_failed = counts.failed + counts.closed_for_room + counts.not_accepted;
            serving.stop();
        }
        if let Some(rules) = self.rules.take() {
            rules.watching.stop();
        }
        let measured = self.measured.lock().expect("nobody panics").take();
        let measured = measured.expect("it is taken once");
        let nanoseconds = self.nanoseconds;
        let latency = crate::outcome::Latency {
            empty_pair: measured.unkai.empty_pair(nanoseconds),
            bare: measured.bare.rows(nanoseconds),
            unkai: measured.unkai.rows(nanoseconds),
            bare_apart: measured.apart.rows(),
        };
        // Its pipes are closed: what is open now was left behind.
        let start = Instant::now();
        while (machine::threads(), machine::descriptors()) != self.before
            && start.elapsed() < Duration::from_secs(5)
        {
            thread::sleep(Duration::from_millis(2));
        }
        self.seen.threads_at_the_end = (self.before.0, machine::threads());
        self.seen.descriptors_at_the_end = (self.before.1, machine::descriptors());
        if self.wrong.is_none() {
            let wrong = self.totals.compare(self.heap, false);
            self.note_if("totals", wrong);
        }
        Ok(judge(&self, latency))
    }
}

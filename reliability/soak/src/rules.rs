//! The watcher and its rules, and how often each must have fired.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use unkai::watch::{
    Format, Quantity, Reports, Rule, RuleStatus, Status, Trigger, Watcher, Watching,
};

use crate::Heap;
use crate::latency::Moments;
use crate::load::tide::{HIGH, LOW};

/// The watcher, with all that its rules have told.
pub(crate) struct Rules {
    pub(crate) watching: Watching,
    pub(crate) trigger: Trigger,
    told: Arc<Told>,
    folder: tempfile::TempDir,
}

#[derive(Debug, Default)]
struct Told {
    /// Events that the rule `tide` has told its callback.
    tide: AtomicU64,
    /// When the rule `report` fired last, and the shortest time since the firing before.
    report: Mutex<(Option<SystemTime>, Option<Duration>)>,
    reclaimed: AtomicU64,
}

/// What all reports may take.
pub(crate) const REPORTS_BYTES: u64 = 4 << 20;
/// How many reports are kept.
pub(crate) const REPORTS_KEPT: u64 = 8;
/// Longer than from one crossing to the next, so that some come too early.
const COOL_DOWN: Duration = Duration::from_secs(7);
/// A rule that may fire no more often.
const AT_MOST: u64 = 3;
/// Live bytes at which reclaimers are asked, in rounds with a limit.
pub(crate) const LIMIT: u64 = HIGH - (32 << 20);

impl Rules {
    pub(crate) fn start(moments: &Arc<Moments>) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("unkai-soak-").tempdir()?;
        let told = Arc::new(Told::default());
        let trigger = Trigger::new();
        let rises = || Quantity::LiveBytes.rises_to(HIGH);
        let rule = |name, condition| Rule::new(name, condition).cool_down(Duration::ZERO);
        let reports = || {
            Reports::in_dir(folder.path())
                .keep(REPORTS_KEPT as usize)
                .max_bytes(REPORTS_BYTES)
        };
        let (of_tide, of_report) = (Arc::clone(&told), Arc::clone(&told));
        let of_reclaimer = Arc::clone(&told);
        let moments = || (Arc::clone(moments), Arc::clone(moments));
        let (begin, end) = moments();
        let (begin_asked, end_asked) = moments();
        let watching = Watcher::new()
            .every(Duration::from_millis(200))
            .rule(rule("tide", rises()).clear_at(LOW).call(move |_| {
                of_tide.tide.fetch_add(1, Ordering::Relaxed);
            }))
            .rule(
                rule("ebb", Quantity::LiveBytes.falls_to(LOW))
                    .clear_at(HIGH)
                    .call(|event| assert!(event.value <= LOW as f64)),
            )
            .rule(rule("first", rises()).clear_at(LOW).at_most(AT_MOST))
            .rule(
                rule("closer", rises())
                    .clear_at(LOW)
                    .look_closer(32 << 10, Duration::from_millis(300)),
            )
            .rule(
                rule("report", rises())
                    .clear_at(LOW)
                    .cool_down(COOL_DOWN)
                    .call(move |event| {
                        begin.report_begins();
                        of_report.note_report(event.at);
                    })
                    .report(reports())
                    .call(move |_| end.report_ends()),
            )
            .rule(
                rule("asked", trigger.pulled())
                    .call(move |_| begin_asked.report_begins())
                    .report(reports().format(Format::Json))
                    .call(move |_| end_asked.report_ends()),
            )
            .reclaimer(move |wanted| {
                assert!(wanted > 0);
                of_reclaimer.reclaimed.fetch_add(1, Ordering::Relaxed);
                0
            })
            .start()
            .map_err(io::Error::other)?;
        Ok(Self {
            watching,
            trigger,
            told,
            folder,
        })
    }

    /// How the watcher is doing, without a trace in any count.
    pub(crate) fn status<R>(&self, heap: &Heap, look: impl FnOnce(&Status) -> R) -> R {
        heap.aside(|| look(&self.watching.status()))
    }

    /// Waits until each rule has done what it fired for.
    pub(crate) fn settle(&self, heap: &Heap) {
        let start = Instant::now();
        while !self.status(heap, |status| status.rules.iter().all(is_done)) {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "a rule does not come to an end:\n{}",
                self.watching.status()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What is wrong, if live bytes rose and fell so often, and the trigger was pulled so often.
    pub(crate) fn wrong_at_rest(&self, heap: &Heap, crossings: u64, pulls: u64) -> Option<String> {
        let told = self.told.tide.load(Ordering::Relaxed);
        self.status(heap, |status| {
            let rule = |name: &str| {
                let found = status.rules.iter().find(|rule| rule.name == name);
                found.expect("all rules are listed")
            };
            let mut wrong = Vec::new();
            let mut claim = |holds: bool, words: String| {
                if !holds {
                    wrong.push(words);
                }
            };
            let expected = [
                ("tide", crossings, 0),
                ("ebb", crossings, 0),
                ("first", crossings.min(AT_MOST), crossings.saturating_sub(AT_MOST)),
                ("closer", crossings, 0),
                ("asked", pulls, 0),
            ];
            for (name, fired, by_cap) in expected {
                let rule = rule(name);
                claim(
                    rule.fired == fired && rule.suppressed_by_cap == by_cap,
                    format!(
                        "`{name}` fired {} times and {} were beyond its cap: {fired} and {by_cap} would be right",
                        rule.fired, rule.suppressed_by_cap
                    ),
                );
            }
            claim(told == crossings, format!("the callback was told {told} of {crossings} crossings"));
            let report = rule("report");
            claim(
                report.fired + report.suppressed_by_cool_down == crossings,
                format!(
                    "`report` fired {} times and was suppressed {} times: {crossings} crossings",
                    report.fired, report.suppressed_by_cool_down
                ),
            );
            for rule in &status.rules {
                claim(rule.skipped == 0, format!("`{}` skipped {} events", rule.name, rule.skipped));
                for action in &rule.actions {
                    claim(
                        action.failed == 0,
                        format!("`{}`: {} {}s failed: {:?}", rule.name, action.failed, action.action, action.last_error),
                    );
                }
            }
            if let (_, Some(shortest)) = *self.told.report.lock().expect("nobody panics") {
                claim(shortest >= COOL_DOWN, format!("`report` fired again after {shortest:?}"));
            }
            (!wrong.is_empty()).then(|| wrong.join("; "))
        })
    }

    /// How often rules have fired, crossings were suppressed by a cool-down, and reports were written.
    pub(crate) fn tally(&self, heap: &Heap) -> [u64; 3] {
        self.status(heap, |status| {
            let sum = |of: fn(&RuleStatus) -> u64| status.rules.iter().map(of).sum();
            [
                sum(|rule| rule.fired),
                sum(|rule| rule.suppressed_by_cool_down),
                sum(|rule| {
                    let reports = rule
                        .actions
                        .iter()
                        .filter(|action| action.action == "report");
                    reports.map(|action| action.done).sum()
                }),
            ]
        })
    }

    /// How often the reclaimer was asked.
    pub(crate) fn reclaimed(&self) -> u64 {
        self.told.reclaimed.load(Ordering::Relaxed)
    }

    /// Files and bytes in the directory of reports.
    pub(crate) fn reports(&self) -> (u64, u64) {
        usage(self.folder.path())
    }
}

impl Told {
    fn note_report(&self, at: SystemTime) {
        let mut report = self.report.lock().expect("nobody panics");
        if let Some(before) = report.0.replace(at) {
            // A clock that was set back in between tells nothing.
            let pause = at.duration_since(before).unwrap_or(COOL_DOWN);
            report.1 = Some(report.1.map_or(pause, |shortest| shortest.min(pause)));
        }
    }
}

/// Whether everything for which the rule fired was done.
fn is_done(rule: &RuleStatus) -> bool {
    // Actions of one kind are counted together.
    let per_firing = |action: &str| match (rule.name.as_str(), action) {
        ("report" | "asked", "callback") => 2,
        _ => 1,
    };
    rule.actions.iter().all(|action| {
        let ended = action.done + action.failed;
        ended >= (rule.fired - rule.skipped) * per_firing(action.action)
    })
}

fn usage(folder: &Path) -> (u64, u64) {
    let files = fs::read_dir(folder).expect("it is there").flatten();
    // One that is pruned in between is gone.
    let sizes = files
        .filter_map(|file| file.metadata().ok())
        .map(|file| file.len());
    sizes.fold((0, 0), |(files, bytes), size| (files + 1, bytes + size))
}

//! What is claimed of a run, and whether it holds.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::latency::{OPERATIONS, SIZES};
use crate::machine;
use crate::outcome::{Allowed, Claim, Flat, Latency, Outcome, bytes, digits};
use crate::plant;
use crate::rules::{REPORTS_BYTES, REPORTS_KEPT};
use crate::soak::Run;

/// How long the typical operation may take under load, by what it takes bare, both in nanoseconds; for each size.
const AT_MOST: [fn(f64) -> f64; 3] = [
    |bare| bare + 25.0,
    |bare| bare + 25.0,
    // The largest blocks always take the slow path, which is some hundred instructions: how long that is depends on the machine,
    // as the bare operation does.
    |bare| bare * 5.0,
];

pub(crate) fn judge(run: &Run, latency: Latency) -> Outcome {
    let usage = run.heap.inner.usage();
    let mut outcome = Outcome {
        passed: false,
        machine: machine::description(),
        version: env!("CARGO_PKG_VERSION"),
        seed: run.options.seed,
        plant: run.options.plant.map(|plant| plant::name(plant).to_owned()),
        seconds: run.begun.elapsed().as_secs_f64(),
        rounds: run.round,
        warm_up_rounds: run.warm_up,
        load_average: [run.seen.lowest_load, run.seen.highest_load],
        allocated_bytes: usage.allocated.bytes,
        allocated_blocks: usage.allocated.blocks,
        claims: claims(run, &latency),
        flat: flat(run),
        latency,
        at_rest: run.rests.clone(),
    };
    let failed = outcome.failed().count();
    outcome.passed = failed == 0;
    outcome
}

fn claims(run: &Run, latency: &Latency) -> Vec<Claim> {
    let seen = &run.seen;
    let claim = |name, figure: String| {
        let wrong = run.wrong.as_ref().filter(|(wrong, _)| *wrong == name);
        Claim {
            name,
            holds: wrong.is_none(),
            figure: wrong.map_or(figure, |(_, words)| words.clone()),
        }
    };
    let check = |name, holds, figure| Claim {
        name,
        holds,
        figure,
    };
    let [fired, suppressed, written] = seen.tally;
    let reported = &run.reported;
    let losses = run.rests.last().map_or(0, |rest| rest.losses);
    let (threads, descriptors) = (seen.threads_at_the_end, seen.descriptors_at_the_end);
    let idle = |of: fn(&crate::rest::Rest) -> u64| {
        let mut numbers = run.rests.iter().map(of);
        let first = numbers.next();
        (
            first.unwrap_or(0),
            numbers.all(|number| Some(number) == first),
        )
    };
    let (idle_threads, same_threads) = idle(|rest| rest.threads);
    let (idle_descriptors, same_descriptors) = idle(|rest| rest.descriptors);
    let resident_bound = seen.highest_resident_early * 5 / 4 + (32 << 20);
    let (is_quick, how_quick) = quickness(latency, run.options.lasts);
    vec![
        claim(
            "totals",
            format!(
                "exact at {} rests, of which {} in allocated and freed alone; no request from within unkai",
                run.totals.agreed, run.totals.agreed_in_full
            ),
        ),
        claim(
            "rules",
            format!(
                "{fired} firings for {} crossings, {suppressed} suppressed by cool-downs, as they must be; {written} reports written",
                seen.crossings
            ),
        ),
        claim(
            "reclaim",
            format!(
                "reclaimers asked {} times, in rounds with a limit only",
                seen.reclaimed
            ),
        ),
        check(
            "reports",
            seen.highest_report_bytes <= REPORTS_BYTES
                && seen.highest_report_files <= REPORTS_KEPT + 1,
            format!(
                "directory at most {} of {}, {} files: {REPORTS_KEPT} kept, and one being written",
                bytes(seen.highest_report_bytes as f64),
                bytes(REPORTS_BYTES as f64),
                seen.highest_report_files
            ),
        ),
        claim(
            "scopes",
            format!(
                "{} queries, {} refusals, each right; nothing left of any",
                digits(run.tree.queries.load(Ordering::Relaxed)),
                digits(run.tree.refused.load(Ordering::Relaxed))
            ),
        ),
        claim(
            "sampling",
            "as it was set, after each time that it was changed".to_owned(),
        ),
        check(
            "formats",
            reported.reports.load(Ordering::Relaxed) > 0,
            format!(
                "{} reports in nine formats, {}; the longest took {} ms",
                digits(reported.reports.load(Ordering::Relaxed)),
                bytes(reported.bytes.load(Ordering::Relaxed) as f64),
                reported.longest.load(Ordering::Relaxed)
            ),
        ),
        check(
            "http",
            seen.http_failed == 0 && run.asked.load(Ordering::Relaxed) > 0,
            format!(
                "{} requests answered whole, {} connections failed",
                digits(run.asked.load(Ordering::Relaxed)),
                seen.http_failed
            ),
        ),
        check(
            "losses",
            losses == 0,
            format!("{losses} events were not recorded"),
        ),
        check(
            "threads",
            same_threads && threads.0 == threads.1,
            format!(
                "{idle_threads} at each rest; {} before, {} at the end",
                threads.0, threads.1
            ),
        ),
        check(
            "descriptors",
            same_descriptors && descriptors.0 == descriptors.1,
            format!(
                "{idle_descriptors} at each rest; {} before, {} at the end",
                descriptors.0, descriptors.1
            ),
        ),
        check(
            "RSS in motion",
            seen.highest_resident <= resident_bound,
            format!(
                "at most {}; in the first third {}",
                bytes(seen.highest_resident as f64),
                bytes(seen.highest_resident_early as f64)
            ),
        ),
        check("latency", is_quick, how_quick),
    ]
}

/// Whether no kind of operation is slowed down more than is allowed under load, and by how much each is. Of other moments nothing is
/// claimed.
fn quickness(latency: &Latency, lasts: Duration) -> (bool, String) {
    let kinds = SIZES.len() * OPERATIONS.len();
    // The first moment is that of load alone.
    let pairs = || latency.bare.iter().zip(&latency.unkai).take(kinds);
    if pairs().any(|(bare, unkai)| bare.rounds.min(unkai.rounds) < LEAST_ROUNDS) {
        let words = "not judged: the machine was too busy to measure every kind in three rounds";
        return (lasts < ALWAYS_JUDGED_FROM, words.to_owned());
    }
    let mut is_quick = true;
    let mut words = Vec::new();
    for (index, (bare, unkai)) in pairs().enumerate() {
        let [bare, unkai] = [bare, unkai].map(|timed| timed.typical.median);
        let at_most = AT_MOST[index / OPERATIONS.len()](bare);
        is_quick &= unkai <= at_most;
        words.push(format!("{bare:.0} to {unkai:.0} of {at_most:.0}"));
    }
    let words = words.join(", ");
    let words = format!(
        "the typical alloc and free go from bare to unkai, and at most, in ns, by size: {words}"
    );
    (is_quick, words)
}

/// With fewer rounds in which there was enough of a kind, nothing is said of it.
const LEAST_ROUNDS: u64 = 3;
/// In a run that is so long there are enough of them; a shorter one says that it has not judged, and passes.
const ALWAYS_JUDGED_FROM: Duration = Duration::from_secs(30 * 60);

fn flat(run: &Run) -> Vec<Flat> {
    let warm = &run.rests[(run.warm_up as usize).min(run.rests.len())..];
    let kib = 1024.0;
    let allow = |slope, more| Allowed { slope, more };
    vec![
        Flat::of(
            "RSS",
            true,
            warm,
            |rest| rest.resident_bytes,
            allow(256.0, 16.0 * kib * kib),
        ),
        Flat::of(
            "beside heap",
            true,
            warm,
            |rest| rest.beside_heap_bytes,
            allow(256.0, 1024.0 * kib),
        ),
        Flat::of(
            "live",
            true,
            warm,
            |rest| rest.live_bytes,
            allow(64.0, 256.0 * kib),
        ),
        Flat::of(
            "blocks",
            false,
            warm,
            |rest| rest.live_blocks,
            allow(0.5, 2000.0),
        ),
        Flat::of(
            "own memory",
            true,
            warm,
            |rest| rest.own_bytes,
            allow(64.0, 256.0 * kib),
        ),
        Flat::of(
            "live samples",
            false,
            warm,
            |rest| rest.live_samples,
            allow(0.5, 2000.0),
        ),
        Flat::of(
            "stack nodes",
            false,
            warm,
            |rest| rest.stack_nodes,
            allow(0.5, 500.0),
        ),
        Flat::of("stacks", false, warm, |rest| rest.sites, allow(0.1, 100.0)),
        Flat::of(
            "thread cells",
            false,
            warm,
            |rest| rest.thread_cells,
            allow(0.01, 8.0),
        ),
        Flat::of(
            "reports",
            true,
            warm,
            |rest| rest.report_bytes,
            allow(f64::INFINITY, 0.0),
        )
        .bounded_by(REPORTS_BYTES as f64),
    ]
}

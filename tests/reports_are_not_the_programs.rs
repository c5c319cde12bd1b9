//! What a report takes while it is made shows up neither in the totals nor in the sites.

mod support;

use std::hint::black_box;
use std::io::{self, Sink};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;

use mimalloc::MiMalloc;
use support::outer::Outer;
use unkai::report::{
    Report, dhat, flamegraph, folded, html, json, pprof, scopes, speedscope, text,
};
use unkai::{Bounds, Config, Scope, Totals, UnkaiGlobalAlloc, aside};

/// Every block is sampled, so that sites are exact.
#[global_allocator]
static HEAP: Outer<UnkaiGlobalAlloc<MiMalloc>> = Outer::new(UnkaiGlobalAlloc::with_config(
    MiMalloc,
    Config::new().sample_every_block(),
));

/// Totals are of the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

const MIB: u64 = 1 << 20;
/// What the test runner may allocate beside a test, in bytes.
const RUNNER: u64 = 256 << 10;

/// Writes something in one of the formats.
type Write<'w> = dyn Fn(&mut Sink) -> io::Result<()> + 'w;

fn one_at_a_time(test: impl FnOnce()) {
    let alone = ALONE.lock();
    test();
    drop(alone);
}

fn usage() -> Totals {
    HEAP.inner.usage()
}

/// Live bytes and blocks by a count that knows nothing of the profiler.
fn counted_live() -> (u64, u64) {
    let ((allocated, taken), (freed, given)) = (HEAP.allocated(), HEAP.freed());
    (allocated - freed, taken - given)
}

/// Both counts agree, once the test runner's threads stand still.
fn settled() {
    support::eventually("the same live bytes", || live(&usage()) == counted_live());
}

fn live(totals: &Totals) -> (u64, u64) {
    (totals.live_bytes() as u64, totals.live_blocks() as u64)
}

#[test]
fn what_is_freed_again_is_in_no_number() {
    one_at_a_time(|| {
        let before = usage();
        aside(|| {
            for _ in 0..100 {
                let mut grows = black_box(vec![1_u8; MIB as usize]);
                grows.reserve(20 * MIB as usize);
                drop(black_box(grows));
            }
        });
        let after = usage();
        // Two GB went by; the threads of the test runner may have done something of their own.
        assert!(after.allocated.bytes - before.allocated.bytes < RUNNER);
        assert!(after.freed.bytes - before.freed.bytes < RUNNER);
        assert!(after.peak_live_bytes - before.peak_live_bytes < RUNNER);
    });
}

#[test]
fn what_is_left_behind_is_counted_once_and_not_sampled() {
    one_at_a_time(|| {
        let before = usage();
        let kept = aside(|| {
            let _gone = black_box(vec![1_u8; 3 * MIB as usize]);
            black_box(vec![1_u8; MIB as usize])
        });
        let after = usage();
        let allocated = after.allocated.bytes - before.allocated.bytes;
        assert!((MIB..MIB + RUNNER).contains(&allocated), "{allocated}");
        settled();
        assert!(after.peak_live_bytes >= live(&after).0);
        let is_in_a_site =
            sites_of("what_is_left_behind").any(|live_bytes| live_bytes >= MIB as f64);
        assert!(!is_in_a_site);
        drop(kept);
        settled();
    });
}

#[test]
fn blocks_of_the_program_that_are_freed_aside_are_freed() {
    one_at_a_time(|| {
        let block = black_box(vec![1_u8; 5 * MIB as usize]);
        let mut grows = black_box(vec![1_u8; 100]);
        assert_eq!(
            sites_of("blocks_of_the_program").sum::<f64>(),
            5.0 * MIB as f64 + 100.0
        );
        let before = usage();
        aside(|| {
            drop(block);
            grows.reserve_exact(2 * MIB as usize);
        });
        let after = usage();
        settled();
        assert!(live(&before).0 - live(&after).0 > 2 * MIB);
        assert_eq!(sites_of("blocks_of_the_program").sum::<f64>(), 0.0);
    });
}

#[test]
fn a_panic_a_visit_within_a_visit_and_a_new_thread_come_back() {
    one_at_a_time(|| {
        let panicked = catch_unwind(AssertUnwindSafe(|| aside(|| panic!("on purpose"))));
        assert!(panicked.is_err());
        drop(panicked);
        aside(|| {
            aside(|| drop(black_box(vec![1_u8; 1000])));
            drop(black_box(vec![1_u8; 1000]));
        });
        // The first operation of a thread may be aside.
        let from_a_thread = thread::spawn(|| aside(|| vec![1_u8; 1000]));
        let kept = from_a_thread.join().expect("it does not panic");
        settled();
        let before = usage();
        let counted = black_box(vec![1_u8; 12_345]);
        let allocated = usage().allocated.bytes - before.allocated.bytes;
        assert!(
            (12_345..12_345 + RUNNER).contains(&allocated),
            "{allocated}"
        );
        drop((counted, kept));
    });
}

#[test]
fn a_report_in_several_formats_leaves_no_trace_but_itself() {
    one_at_a_time(|| {
        let kept = black_box(vec![1_u8; 100]);
        drop(HEAP.inner.snapshot());
        let before = usage();
        for _ in 0..3 {
            let report = Report::new(HEAP.inner.snapshot());
            let mut out = Vec::new();
            text::write(&report, &text::Options::new(), &mut out).expect("a Vec takes it");
            json::write(&report, &json::Options::new(), &mut out).expect("a Vec takes it");
            assert!(json::read(&out[out.len() / 2..]).is_err());
        }
        let after = usage();
        settled();
        assert!(
            live(&after).0.abs_diff(live(&before).0) < 64 << 10,
            "{before:?} {after:?}"
        );
        let report = Report::new(HEAP.inner.snapshot());
        let mut judged = 0;
        for site in &report.snapshot().sites {
            let names = report
                .call_stack(site)
                .iter()
                .map(|frame| frame.name().into_owned())
                .collect::<Vec<_>>();
            // Tests ask reports for call stacks in there, and what such a call gives them is theirs.
            if names.iter().any(|name| name.contains("sites_of")) {
                continue;
            }
            judged += 1;
            let is_ours =
                |name: &String| name.contains("unkai_report::") || name.contains("gimli::");
            assert!(!names.iter().any(is_ours), "{names:?}");
        }
        assert!(judged > 0, "what is kept has a site");
        drop(kept);
    });
}

#[test]
fn what_any_format_allocates_for_a_while_is_in_no_number() {
    one_at_a_time(|| {
        let report = Report::new(HEAP.inner.snapshot());
        let root = Scope::root("root").build().expect("nothing is guaranteed");
        let children: Vec<Scope> = (0..100)
            .map(|_| root.child("child").build().expect("nothing is guaranteed"))
            .collect();
        let tree = root.snapshot(Bounds::new());
        let (report, tree) = (&report, &tree);
        let formats: [(&str, &Write<'_>); 10] = [
            ("text", &|out| {
                text::write(report, &text::Options::new(), out)
            }),
            ("html", &|out| {
                html::write(report, &html::Options::new(), out)
            }),
            ("json", &|out| {
                json::write(report, &json::Options::new(), out)
            }),
            ("folded", &|out| {
                folded::write(report, &folded::Options::new(), out)
            }),
            ("dhat", &|out| {
                dhat::write(report, &dhat::Options::new(), out)
            }),
            ("speedscope", &|out| {
                speedscope::write(report, &speedscope::Options::new(), out)
            }),
            ("pprof", &|out| {
                pprof::write(report, &pprof::Options::new(), out)
            }),
            ("flame graph", &|out| {
                flamegraph::write(report, &flamegraph::Options::new(), out)
            }),
            ("scopes, text", &|out| {
                scopes::text::write(tree, &scopes::text::Options::new(), out)
            }),
            ("scopes, json", &|out| {
                scopes::json::write(tree, &scopes::json::Options::new(), out)
            }),
        ];
        for (name, write) in formats {
            let before = usage();
            for _ in 0..100 {
                write(&mut io::sink()).expect("a sink takes everything");
            }
            let allocated = usage().allocated.bytes - before.allocated.bytes;
            assert!(allocated < RUNNER, "{name}: {allocated}");
        }
        drop(children);
        settled();
    });
}

#[test]
fn threads_that_allocate_exit_and_report_at_once_end_with_exact_totals() {
    one_at_a_time(|| {
        thread::scope(|scope| {
            for number in 0..4 {
                scope.spawn(move || {
                    for round in 0..5 {
                        let inner = thread::spawn(move || vec![round as u8; 10_000 + number]);
                        let report = Report::new(HEAP.inner.snapshot());
                        let mut out = Vec::new();
                        text::write(&report, &text::Options::new(), &mut out)
                            .expect("a Vec takes it");
                        drop(inner.join());
                    }
                });
            }
        });
        settled();
    });
}

/// Live bytes of the sites whose stacks go through a function with this name.
fn sites_of(name: &'static str) -> impl Iterator<Item = f64> {
    let report = Report::new(HEAP.inner.snapshot());
    let sites = report.snapshot().sites.clone();
    let through = move |site: &unkai::Site| {
        let frames = report.call_stack(site);
        frames.iter().any(|frame| frame.name().contains(name))
    };
    sites
        .into_iter()
        .filter(through)
        .map(|site| site.live.bytes)
}

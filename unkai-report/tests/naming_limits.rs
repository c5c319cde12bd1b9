//! Naming in a process keeps to its limits, and a report says so. Alone in its process, whose memory it measures.

#![cfg(all(target_os = "linux", feature = "json"))]

use std::time::{Duration, SystemTime};

use unkai_core::{Site, Snapshot};
use unkai_report::{Report, ResolveCost, ResolveLimit, ResolveLimits, json, text};

/// What one look-up may take here: the tables of this test, and the compilation unit of the address.
const SLACK: u64 = 64 << 20;

#[test]
fn a_report_keeps_to_its_limits_warns_and_says_what_naming_took() {
    let mut stack = Vec::new();
    backtrace::trace(|frame| {
        // The outermost frame has no caller.
        stack.extend(Some(frame.ip() as u64).filter(|address| *address != 0));
        true
    });
    let mut snapshot = Snapshot::empty(SystemTime::now());
    snapshot.sites.push(Site::new(2, stack));

    let limit = Duration::ZERO;
    let (cost, text) = named(&snapshot, &ResolveLimits::new().time(limit));
    assert_eq!(
        (cost.named, cost.stopped_by),
        (0, Some(ResolveLimit::Time(limit)))
    );
    assert!(
        text.contains("naming stopped at its limit of 0 ns. docs/symbols.md says"),
        "{text}"
    );

    let (cost, text) = named(&snapshot, &ResolveLimits::new().memory_bytes(0));
    assert!(cost.addresses > 3 && cost.named == 1, "{cost:?}");
    assert_eq!(cost.stopped_by, Some(ResolveLimit::MemoryBytes(0)));
    assert!(
        cost.memory_bytes.is_some_and(|bytes| bytes <= SLACK),
        "{cost:?}"
    );
    assert!(
        text.contains("addresses: naming stopped at its limit of 0 B."),
        "{text}"
    );

    // Not that of the time, which a busy machine might reach.
    let (cost, text) = named(&snapshot, &ResolveLimits::new().time(Duration::MAX));
    assert!(cost.stopped_by.is_none() && cost.named > 3, "{cost:?}");
    assert!(!text.contains("Names are missing"), "{text}");
    assert!(text.contains(" addresses were named in "), "{text}");
}

/// What naming `snapshot` took, and the report's text. JSON keeps the former.
fn named(snapshot: &Snapshot, limits: &ResolveLimits) -> (ResolveCost, String) {
    let report = Report::new_within(snapshot.clone(), limits);
    let cost = *report.symbols().cost().expect("it was named here");
    let mut document = Vec::new();
    json::write(&report, &json::Options::new(), &mut document).expect("a Vec takes it");
    let read = json::read(&document[..]).expect("a document of our own is valid");
    assert_eq!(read.symbols().cost(), Some(&cost));
    let mut out = Vec::new();
    text::write(&read, &text::Options::new().width(400), &mut out).expect("a Vec takes it");
    println!("{cost:?}");
    (cost, String::from_utf8(out).expect("text"))
}

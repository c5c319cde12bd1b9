//! JSON comes back as it was written, and nothing in it can bring a reader down.

use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, io};

use unkai_core::{Cause, CrowdedTable, Sampling, Site, Snapshot, UnwinderKind, Widened};
use unkai_report::json::{self, ReadError};
use unkai_report::{Report, Symbols, folded, text};

use crate::{golden, samples};

fn document(report: &Report) -> Vec<u8> {
    let mut out = Vec::new();
    json::write(report, &json::Options::new(), &mut out).expect("a Vec takes it");
    out
}

fn assert_comes_back(report: &Report) {
    for pretty in [false, true] {
        let mut out = Vec::new();
        let options = json::Options::new().pretty(pretty);
        json::write(report, &options, &mut out).expect("a Vec takes it");
        assert_eq!(
            &json::read(&out[..]).expect("a document of our own is valid"),
            report
        );
    }
}

fn malformed_at(document: &str) -> String {
    match json::read(document.as_bytes()) {
        Err(ReadError::Malformed { position, .. }) => position,
        other => panic!("expected a malformed document: {other:?}"),
    }
}

/// The document of `report` with `from` replaced by `to`.
fn changed(report: &Report, from: &str, to: &str) -> String {
    let text = String::from_utf8(document(report)).expect("JSON is UTF-8");
    assert!(text.contains(from), "{from} is not in {text}");
    text.replacen(from, to, 1)
}

#[test]
fn documents_are_as_agreed() {
    for (name, report) in [
        ("search-service.heap.json", samples::search_service()),
        ("troubled.heap.json", samples::troubled()),
    ] {
        let mut out = Vec::new();
        json::write(&report, &json::Options::new().pretty(true), &mut out).expect("a Vec takes it");
        golden::check(name, &out);
    }
}

#[test]
fn reports_come_back_equal() {
    for report in [
        samples::search_service(),
        samples::troubled(),
        samples::change(),
        Report::without_names(samples::troubled().into_parts().0),
        Report::new(Snapshot::empty(SystemTime::now())),
    ] {
        assert_comes_back(&report);
    }
}

#[test]
fn a_document_that_was_streamed_comes_back_as_one_that_was_written() {
    for report in [
        samples::search_service(),
        samples::troubled(),
        samples::change(),
        Report::without_names(Snapshot::empty(SystemTime::now())),
    ] {
        let snapshot = report.snapshot();
        let mut out = Vec::new();
        let each_site = |visit: &mut dyn FnMut(&Site)| snapshot.sites.iter().for_each(visit);
        json::Stream::new(report.modules())
            .write(snapshot, each_site, &mut out)
            .expect("a Vec takes it");
        let read = json::read(&out[..]).expect("a document of our own is valid");
        let without_names = Report::from_parts(snapshot.clone(), Symbols::new());
        assert_eq!(read, without_names.with_modules(report.modules().clone()));
    }
}

#[test]
fn a_stream_ends_at_the_first_error_of_its_output() {
    /// Takes a few bytes, then never any again.
    struct Full {
        room: usize,
        refused: usize,
    }
    impl io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.room);
            self.room -= taken;
            if taken == 0 {
                self.refused += 1;
                return Err(io::ErrorKind::StorageFull.into());
            }
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let report = samples::troubled();
    let each_site = |visit: &mut dyn FnMut(&Site)| report.snapshot().sites.iter().for_each(visit);
    for room in [0, 1, 100, 1000] {
        let mut out = Full { room, refused: 0 };
        let stream = json::Stream::new(report.modules());
        let error = stream.write(report.snapshot(), each_site, &mut out);
        let error = error.expect_err("there is no room");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(out.refused, 1, "it went on behind the error");
    }
}

#[test]
fn every_mode_cause_and_unwinder_comes_back() {
    let mut snapshot = Snapshot::empty(UNIX_EPOCH);
    for (count, cause) in (1..).zip(Cause::ALL) {
        snapshot.losses.set(cause, count);
    }
    for kind in [
        UnwinderKind::None,
        UnwinderKind::FramePointers,
        UnwinderKind::Tables,
        UnwinderKind::Portable,
    ] {
        for mode in [
            Sampling::Off,
            Sampling::EveryBlock,
            Sampling::Bytes { interval: u64::MAX },
            Sampling::Blocks { one_in: 99 },
        ] {
            snapshot.unwinding.kind = kind;
            snapshot.sampling.mode = mode;
            assert_comes_back(&Report::without_names(snapshot.clone()));
        }
    }
}

#[test]
fn every_table_that_widens_the_sampling_comes_back() {
    let mut snapshot = Snapshot::empty(UNIX_EPOCH);
    snapshot.sampling.mode = Sampling::Blocks { one_in: 4 };
    for by in [
        CrowdedTable::Stacks,
        CrowdedTable::Sites,
        CrowdedTable::LiveSamples,
    ] {
        snapshot.sampling.widened = Some(Widened::new(Sampling::EveryBlock, by));
        assert_comes_back(&Report::without_names(snapshot.clone()));
    }
}

#[test]
fn sampling_as_set_is_written_as_before_it_could_be_sparser() {
    let text = String::from_utf8(document(&samples::search_service())).expect("JSON is UTF-8");
    let sampling =
        r#""sampling":{"mode":{"bytes":{"interval":524288}},"paused":false,"threshold_bytes":0}"#;
    assert!(text.contains(sampling), "{text}");
}

#[test]
fn large_integers_odd_floats_and_early_times_come_back_exactly() {
    let mut snapshot = Snapshot::empty(UNIX_EPOCH - Duration::new(5, 250_000_000));
    snapshot.totals.allocated.bytes = u64::MAX;
    snapshot.uptime = Duration::MAX;
    snapshot.window = Some(Duration::from_nanos(1));
    let mut site = Site::new(u32::MAX, vec![u64::MAX, 0, (1 << 53) + 1]);
    site.live.samples = i64::MIN;
    site.live.bytes = 0.1 + 0.2;
    site.live.blocks = 5e-324;
    site.live.bytes_variance = f64::MAX;
    site.allocated.bytes = 9_007_199_254_740_993.0 / 3.0;
    site.allocated.blocks = 1.797_693_134_862_315_7e308;
    site.lifetimes.buckets[47] = 1.0 / 3.0;
    snapshot.sites.push(site);
    assert_comes_back(&Report::without_names(snapshot));
}

#[test]
fn floats_come_back_bit_by_bit() {
    let mut random = Random::new();
    let mut snapshot = Snapshot::empty(UNIX_EPOCH);
    for id in 0..500 {
        let mut site = Site::new(id, Vec::new());
        let value = f64::from_bits(random.next());
        site.live.bytes = if value.is_finite() { value } else { 0.0 };
        snapshot.sites.push(site);
    }
    let report = Report::without_names(snapshot);
    let read = json::read(&document(&report)[..]).expect("a document of our own is valid");
    for (read, written) in read.snapshot().sites.iter().zip(&report.snapshot().sites) {
        assert_eq!(
            read.live.bytes.to_bits(),
            written.live.bytes.to_bits(),
            "{random:?}"
        );
    }
}

#[test]
fn what_is_not_a_number_is_null_and_stays_not_a_number() {
    let mut snapshot = Snapshot::empty(UNIX_EPOCH);
    let mut site = Site::new(2, vec![]);
    site.live.bytes = f64::NAN;
    site.live.blocks = f64::INFINITY;
    site.ages.buckets[3] = f64::NEG_INFINITY;
    snapshot.sites.push(site);
    let document = document(&Report::without_names(snapshot));
    let read = json::read(&document[..]).expect("null is valid");
    let site = &read.snapshot().sites[0];
    assert!(site.live.bytes.is_nan() && site.live.blocks.is_nan());
    assert!(site.ages.buckets[3].is_nan());
    assert_eq!(site.live.bytes_variance, 0.0);
}

#[test]
fn a_truncated_document_is_an_error_not_a_panic() {
    let document = document(&samples::troubled());
    // The last byte is the line break behind the document.
    for length in 0..document.len() - 1 {
        let error = json::read(&document[..length]).expect_err("half a document is not valid");
        assert!(
            matches!(error, ReadError::Malformed { .. }),
            "{length}: {error:?}"
        );
    }
}

#[test]
fn a_damaged_document_is_read_or_refused_and_what_was_read_can_be_written() {
    let original = document(&samples::troubled());
    let mut random = Random::new();
    let (mut read, mut refused) = (0, 0);
    for _ in 0..3_000 {
        let mut damaged = original.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(damaged.len());
            match random.below(3) {
                // Digits for digits keep many documents valid.
                0 => damaged[at] = b"0123456789-.e,\"[]{}"[random.below(19)],
                1 => damaged[at] = random.next() as u8,
                _ => drop(damaged.remove(at)),
            }
        }
        match json::read(&damaged[..]) {
            Ok(report) => {
                read += 1;
                let mut sink = io::sink();
                text::write(&report, &text::Options::new(), &mut sink).expect("a sink takes it");
                folded::write(&report, &folded::Options::new(), &mut sink)
                    .expect("a sink takes it");
                json::write(&report, &json::Options::new(), &mut sink).expect("a sink takes it");
            }
            Err(_) => refused += 1,
        }
    }
    assert!(
        read > 100 && refused > 100,
        "{read} read, {refused} refused, {random:?}"
    );
}

#[test]
fn other_documents_are_told_apart() {
    for other in [
        "[]",
        "1",
        "null",
        "{}",
        "\"unkai.heap-profile\"",
        "{\"schema\": \"other\"}",
    ] {
        let error = json::read(other.as_bytes()).expect_err("not a profile");
        assert!(
            matches!(
                error,
                ReadError::OtherDocument {
                    expected: "heap profile",
                    found: None
                }
            ),
            "{other}: {error:?}"
        );
    }
    let scopes = "{\"schema\": \"unkai.scopes\", \"version\": 1}";
    assert_eq!(
        json::read(scopes.as_bytes())
            .expect_err("no profile")
            .to_string(),
        "this JSON document is not an unkai heap profile, but a scope tree"
    );
    let newer = "{\"schema\": \"unkai.heap-profile\", \"version\": 2, \"unheard\": []}";
    let error = json::read(newer.as_bytes()).expect_err("too new");
    assert!(
        matches!(
            error,
            ReadError::NewerVersion {
                found: 2,
                supported: 1
            }
        ),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        "the document has version 2, but this unkai reads versions up to 1"
    );
    assert_eq!(
        malformed_at("{\"schema\": \"unkai.heap-profile\"}"),
        "version"
    );
    assert_eq!(malformed_at("not JSON"), "line 1 column 2");
}

#[test]
fn values_that_make_no_sense_are_found_and_their_place_is_told() {
    let report = samples::troubled();
    let too_large = changed(&report, "\"stack\":[]", "\"stack\":[4000000000]");
    assert_eq!(malformed_at(&too_large), "sites[0].stack[0]");
    let no_stack = changed(&report, "\"stack\":[]", "\"no_stack\":[]");
    assert_eq!(malformed_at(&no_stack), "sites[0]");
    let both = changed(
        &report,
        "\"stack\":[]",
        "\"stack\":[],\"stack_addresses\":[]",
    );
    assert_eq!(malformed_at(&both), "sites[0]");
    let function = changed(&report, "\"function\":0", "\"function\":77");
    assert!(malformed_at(&function).starts_with("addresses["));
    let bucket = changed(&report, "\"lifetimes\":[[", "\"lifetimes\":[[48,1.0],[");
    assert_eq!(malformed_at(&bucket), "sites[0].lifetimes");
    let twice = changed(&report, "\"lifetimes\":[[", "\"lifetimes\":[[18,1.0],[");
    assert_eq!(malformed_at(&twice), "sites[0].lifetimes");
    let nanoseconds = changed(&report, "\"nanoseconds\":0", "\"nanoseconds\":1000000000");
    assert_eq!(malformed_at(&nanoseconds), "taken_at");
    let seconds = changed(
        &report,
        "\"seconds\":7384,\"nanoseconds\":0",
        "\"seconds\":18446744073709551615,\"nanoseconds\":4294967295",
    );
    assert_eq!(malformed_at(&seconds), "uptime");
    let cause = changed(&report, "\"free_missed\"", "\"bad_luck\"");
    assert_eq!(malformed_at(&cause), "losses.bad_luck");
    let address = changed(&report, "\"0x5555", "\"0x-555");
    assert!(malformed_at(&address).starts_with("line 1 column "));
    let address = changed(&report, "0x555500001020", "0x555500001000");
    assert_eq!(malformed_at(&address), "addresses[1]");
}

#[test]
fn deep_nesting_is_refused() {
    let deep = "[".repeat(1_000_000);
    assert!(matches!(
        json::read(deep.as_bytes()),
        Err(ReadError::Malformed { .. })
    ));
    let deep = format!("{{\"schema\": {deep}");
    assert!(matches!(
        json::read(deep.as_bytes()),
        Err(ReadError::Malformed { .. })
    ));
}

#[test]
fn unknown_fields_are_skipped() {
    let report = samples::troubled();
    let text = changed(&report, "{\"schema\"", "{\"later\":{\"a\":[1]},\"schema\"");
    let text = text.replacen("\"truncated\"", "\"colour\":\"red\",\"truncated\"", 1);
    assert_eq!(json::read(text.as_bytes()).expect("still valid"), report);
}

#[test]
fn errors_of_the_input_are_passed_on() {
    struct Broken;
    impl io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("unplugged"))
        }
    }
    let error = json::read(Broken).expect_err("nothing can be read");
    assert!(matches!(&error, ReadError::Io(error) if error.to_string() == "unplugged"));
}

/// A small generator (xorshift); `UNKAI_SEED` repeats a run whose seed a failure printed.
#[derive(Debug)]
struct Random {
    #[expect(dead_code, reason = "shown by Debug when a test fails")]
    seed: u64,
    state: u64,
}

impl Random {
    fn new() -> Self {
        let from_env = env::var("UNKAI_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok());
        let seed = from_env.unwrap_or_else(|| {
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            now.as_nanos() as u64 | 1
        });
        println!("UNKAI_SEED={seed}");
        Self { seed, state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

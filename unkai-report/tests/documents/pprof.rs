//! pprof profiles, decoded again.

pub(crate) mod decoded;
#[path = "../../src/pprof/proto.rs"]
mod proto;

use std::collections::HashSet;
use std::io;
use std::time::{Duration, Instant, UNIX_EPOCH};

use unkai_core::{Site, Snapshot};
use unkai_report::pprof::{Options, write};
use unkai_report::{Module, Modules, Report, SourceFunction, Symbols, Value};

use crate::golden::check;
use crate::samples;
use decoded::Decoded;

/// The values in their order in a profile.
const VALUES: [Value; 6] = [
    Value::AllocatedBlocks,
    Value::AllocatedBytes,
    Value::LiveBlocks,
    Value::LiveBytes,
    Value::PeakBlocks,
    Value::PeakBytes,
];

fn decode(report: &Report, options: &Options) -> Decoded {
    let mut out = Vec::new();
    write(report, options, &mut out).expect("a Vec takes it");
    Decoded::of(&out)
}

#[test]
fn profiles_are_as_agreed() {
    let labelled = Options::new().label("service", "search");
    let allocs = Options::new().default_value(Value::AllocatedBytes);
    for (name, report, options) in [
        (
            "search-service.pprof.txt",
            samples::search_service(),
            labelled,
        ),
        ("troubled.pprof.txt", samples::troubled(), Options::new()),
        ("change.pprof.txt", samples::change(), allocs),
    ] {
        check(name, decode(&report, &options).to_string().as_bytes());
    }
}

#[test]
fn every_total_is_the_rounded_sum_of_the_sites() {
    for (report, types) in [
        (samples::search_service(), 6),
        (samples::troubled(), 6),
        (samples::many_sites(5_000), 6),
        (samples::change(), 4),
    ] {
        let profile = decode(&report, &Options::new());
        assert_eq!(profile.0.sample_type.len(), types);
        let expected: Vec<i64> = VALUES[..types]
            .iter()
            .map(|value| {
                let sites = report.snapshot().sites.iter();
                sites.map(|site| value.of(site)).sum::<f64>().round() as i64
            })
            .collect();
        assert_eq!(profile.totals(), expected);
        assert!(expected.iter().all(|total| *total > 0), "{expected:?}");
    }
}

#[test]
fn what_is_no_number_counts_as_nothing_and_rows_of_zeros_are_left_out() {
    let report = report_of(&[
        (&[0x10], f64::NAN),
        (&[0x20], f64::INFINITY),
        (&[0x30], 0.2),
        (&[0x40], 7.0),
        // Shown as one row with the one before.
        (&[0x40], f64::NAN),
        (&[0x50], -3.0),
    ]);
    let profile = decode(&report, &Options::new());
    let live: Vec<i64> = profile
        .0
        .sample
        .iter()
        .map(|sample| sample.value[3])
        .collect();
    assert_eq!(live, [7, -3]);
}

#[test]
fn a_profile_is_the_same_with_and_without_compression() {
    let report = samples::search_service();
    let (mut plain, mut compressed) = (Vec::new(), Vec::new());
    write(&report, &Options::new().compressed(false), &mut plain).expect("a Vec takes it");
    write(&report, &Options::new(), &mut compressed).expect("a Vec takes it");
    assert!(compressed.len() < plain.len());
    assert_eq!(decoded::unpacked(&compressed), plain);
}

#[test]
fn an_error_of_the_output_is_returned() {
    for compressed in [true, false] {
        let options = Options::new().compressed(compressed);
        let error = write(&samples::search_service(), &options, &mut &mut [0; 100][..]);
        let kind = error.expect_err("it is too small").kind();
        assert_eq!(kind, io::ErrorKind::WriteZero);
    }
}

#[test]
fn hostile_names_stay_strings_of_one_line() {
    let report = samples::hostile();
    let profile = decode(&report, &Options::new().label("a\"b", "<c>"));
    for string in &profile.0.string_table {
        assert!(!string.contains(|c: char| c.is_control() || c == '\u{202e}'));
    }
    let names: HashSet<&str> = profile.function_names().collect();
    for function in report.symbols().functions() {
        let is_allocator = ["finish_grow", "__rust_alloc"]
            .iter()
            .any(|end| function.short_name().ends_with(end));
        assert_eq!(
            names.contains(function.short_name()),
            !is_allocator,
            "{}",
            function.short_name()
        );
    }
    assert_eq!(profile.totals()[3], profile.live_bytes_of("my_app::main"));
    let file = profile.string(profile.0.mapping[0].filename);
    assert!(file.contains("'own'") && !file.contains('"'), "{file}");
}

#[test]
fn inlined_functions_are_lines_of_one_location_as_far_as_they_are_shown() {
    let mut symbols = Symbols::new();
    let function = |name: &str, line| SourceFunction {
        name: name.to_owned(),
        file: None,
        line: Some(line),
    };
    symbols.insert(
        0x11,
        &[
            function("__rust_alloc", 1),
            function("my_app::inner", 2),
            function("my_app::outer", 3),
        ],
    );
    symbols.insert(0x21, &[function("my_app::main", 4)]);
    let (snapshot, _) = report_of(&[(&[0x11, 0x21, 0x21], 5.0)]).into_parts();
    let module = Module::new(0x10, 0x20, 0, "/opt/program");
    let other = Module::new(0x20, 0x30, 0, "/opt/library.so");
    let modules = Modules::from_iter([module, other]);
    let report = Report::from_parts(snapshot, symbols).with_modules(modules);

    let cut = decode(&report, &Options::new());
    let main = "0x20 my_app::main:4";
    let expected = ["0x10 my_app::inner:2 < my_app::outer:3", main, main];
    assert_eq!(cut.stacks(), [expected]);
    let [program, library] = &cut.0.mapping[..] else {
        panic!("two modules")
    };
    assert!(program.has_functions && program.has_line_numbers && program.has_inline_frames);
    assert!(library.has_functions && library.has_line_numbers && !library.has_inline_frames);
    assert!(!program.has_filenames && !library.has_filenames);

    let whole = decode(&report, &Options::new().whole_stacks(true));
    let inner = "0x10 __rust_alloc:1 < my_app::inner:2 < my_app::outer:3";
    assert_eq!(whole.stacks(), [[inner, main, main]]);
}

#[test]
fn without_names_all_frames_are_addresses_for_others_to_name() {
    let (snapshot, _) = samples::search_service().into_parts();
    let modules = samples::search_service().modules().clone();
    let report = Report::from_parts(snapshot, Symbols::new()).with_modules(modules);
    let profile = decode(&report, &Options::new());
    assert!(profile.0.function.is_empty());
    for (sample, site) in profile.0.sample.iter().zip(&report.snapshot().sites) {
        let calls: Vec<u64> = site.stack.iter().map(|address| address - 1).collect();
        assert_eq!(profile.addresses(sample), calls);
    }
    // The executable is the first; its frames are still to be named.
    assert!(profile.0.location.iter().all(|at| at.mapping_id == 1));
    assert!(!profile.0.mapping[0].has_functions);
    assert!(profile.string(profile.0.drop_frames).contains("rust"));
    for (report, options) in [
        (report, Options::new().whole_stacks(true)),
        (samples::search_service(), Options::new()),
    ] {
        assert_eq!(decode(&report, &options).0.drop_frames, 0);
    }
}

#[test]
fn marks_are_functions_without_an_address() {
    let profile = decode(&samples::troubled(), &Options::new());
    let marks: Vec<String> = profile
        .0
        .location
        .iter()
        .filter(|location| location.address == 0)
        .map(|location| profile.location(location))
        .collect();
    let expected = [
        "0x0 (stack could not be taken)",
        "0x0 (other: the table of sites is full)",
        "0x0 … (stack table full)",
        "0x0 (outer frames missing)",
    ];
    assert_eq!(marks, expected);
}

#[test]
fn a_peak_asked_for_in_a_difference_becomes_live_bytes() {
    let options = Options::new().default_value(Value::PeakBytes);
    let of_default = |profile: Decoded| profile.string(profile.0.default_sample_type).to_owned();
    assert_eq!(
        of_default(decode(&samples::search_service(), &options)),
        "peak_space"
    );
    assert_eq!(
        of_default(decode(&samples::change(), &options)),
        "inuse_space"
    );
}

#[test]
fn fifty_thousand_sites_are_written_at_once() {
    let report = samples::many_sites(50_000);
    let mut out = Vec::new();
    let start = Instant::now();
    write(&report, &Options::new(), &mut out).expect("a Vec takes it");
    let took = start.elapsed();
    println!("{} bytes in {took:?}", out.len());
    // Tests are hardly optimised, and others run beside them.
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert!(out.len() < 16 << 20, "{} bytes", out.len());
    let profile = Decoded::of(&out);
    let live = VALUES[3];
    let with_value = |site: &&Site| live.of(site) != 0.0 || site.allocated.blocks != 0.0;
    let rows = report.snapshot().sites.iter().filter(with_value).count();
    assert_eq!(profile.0.sample.len(), rows);
}

/// A report without names of these stacks with their live bytes.
fn report_of(sites: &[(&[u64], f64)]) -> Report {
    let mut snapshot = Snapshot::empty(UNIX_EPOCH);
    for (id, (stack, bytes)) in (2..).zip(sites) {
        let mut site = Site::new(id, stack.to_vec());
        site.live.bytes = *bytes;
        snapshot.sites.push(site);
    }
    Report::without_names(snapshot)
}

//! Any bytes are read as a profile or refused, and a profile that was read can be written in every format, compared with
//! itself, and read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use unkai_report::{
    Report, dhat, flamegraph, folded, html, json, leaks, pprof, prometheus, speedscope, text,
};

fuzz_target!(|document: &[u8]| {
    let Ok(report) = json::read(document) else {
        return;
    };
    let mut written = Vec::new();
    json::write(&report, &json::Options::new(), &mut written).expect("all that is read has a name");
    let again = json::read(&written[..]).expect("what was written can be read");
    let mut rewritten = Vec::new();
    json::write(&again, &json::Options::new(), &mut rewritten).expect("as before");
    assert_eq!(written, rewritten);

    let (snapshot, symbols) = again.into_parts();
    let difference = report.snapshot().since(&snapshot);
    write_all(&report);
    write_all(&Report::from_parts(difference, symbols));
    let earlier = [snapshot];
    let _ = leaks::suspects(&report, &earlier);
    let _ = leaks::basis(&report, &earlier);
});

fn write_all(report: &Report) {
    let out = &mut std::io::sink();
    let fine = "nothing can go wrong with a sink";
    text::write(report, &text::Options::new().color(true), out).expect(fine);
    html::write(report, &html::Options::new(), out).expect(fine);
    flamegraph::write(report, &flamegraph::Options::new(), out).expect(fine);
    folded::write(report, &folded::Options::new(), out).expect(fine);
    pprof::write(report, &pprof::Options::new().compressed(false), out).expect(fine);
    dhat::write(report, &dhat::Options::new(), out).expect(fine);
    speedscope::write(report, &speedscope::Options::new(), out).expect(fine);
    let metrics = prometheus::write(report, &prometheus::Options::new(), out);
    assert_eq!(metrics.is_err(), report.snapshot().window.is_some());
}

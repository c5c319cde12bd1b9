//! Any bytes are read as a profile or refused, and a profile that was read can be written in any format, compared with
//! itself, and read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use unkai_fuzz::formats::{self, is_well_formed};
use unkai_report::{Report, json, leaks};

fuzz_target!(|document: &[u8]| {
    let Ok(report) = json::read(document) else {
        return;
    };
    let mut written = Vec::new();
    json::write(&report, &json::Options::new(), &mut written).expect("all that is read has a name");
    let again = json::read(&written[..]).expect("what was written can be read");

    let choice = formats::choice(document);
    let (snapshot, symbols) = again.into_parts();
    let difference = report.snapshot().since(&snapshot);
    is_well_formed(&report, choice);
    is_well_formed(&Report::from_parts(difference, symbols), choice);
    let earlier = [snapshot];
    let _ = leaks::suspects(&report, &earlier);
    let _ = leaks::basis(&report, &earlier);
});

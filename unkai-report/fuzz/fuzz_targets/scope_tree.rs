//! Any bytes are read as a tree of scopes or refused, and a tree that was read can be written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use unkai_report::scopes;

fuzz_target!(|document: &[u8]| {
    let Ok(tree) = scopes::json::read(document) else {
        return;
    };
    let out = &mut std::io::sink();
    let fine = "nothing can go wrong with a sink";
    scopes::text::write_record(&tree, &scopes::text::Options::new(), out).expect(fine);
    scopes::prometheus::write_record(&tree, &scopes::prometheus::Options::new(), out).expect(fine);
});

//! A program with very many call stacks.

use std::time::{Duration, Instant};

use crate::samples;
use crate::tool::Folder;

/// In release builds each takes a few seconds at most; the limit is for busy machines and for tests without optimisation.
#[test]
fn fifty_thousand_sites_are_converted_in_time() {
    let folder = Folder::new();
    folder.save("many.json", &samples::many_sites(50_000));
    for output in [
        "heap.txt",
        "heap.html",
        "heap.svg",
        "heap.pb.gz",
        "heap.dhat",
        "heap.speedscope.json",
        "heap.folded",
        "heap.prom",
        "heap.json",
    ] {
        let begun = Instant::now();
        folder
            .run(&["convert", "many.json", "-o", output])
            .printed();
        let took = begun.elapsed();
        let written = std::fs::metadata(folder.path(output)).expect("it was written");
        println!("{output}: {took:?}, {} bytes", written.len());
        assert!(took < Duration::from_secs(60), "{output} took {took:?}");
    }
    assert_eq!(folder.get("heap.json"), folder.get("many.json"));
}

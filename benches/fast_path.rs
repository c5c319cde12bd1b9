//! A hot pair to count the instructions of: `ci/fast-path.sh` runs it under callgrind, bare and tracked.
//!
//! ```text
//! fast_path ALLOCATOR bare|tracked PAIRS
//! ```

#[allow(dead_code, reason = "no bench uses all of it")]
mod workloads;

use std::process::ExitCode;

use workloads::heaps::{PAIRS, prepare};
use workloads::hot_pair;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [allocator, which, pairs] = arguments.as_slice() else {
        println!("this bench is run by ci/fast-path.sh");
        return ExitCode::SUCCESS;
    };
    let pair = PAIRS.iter().find(|pair| pair.name == allocator);
    let (Some(pair), Ok(pairs)) = (pair, pairs.parse()) else {
        eprintln!("usage: fast_path mimalloc|jemalloc|System bare|tracked PAIRS");
        return ExitCode::from(2);
    };
    prepare();
    let heap = if which == "bare" {
        &pair.bare
    } else {
        &pair.tracked
    };
    hot_pair(heap, pairs);
    ExitCode::SUCCESS
}

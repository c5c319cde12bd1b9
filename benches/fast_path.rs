//! Hot operations to count the instructions of: `ci/fast-path.sh` runs them under callgrind, bare and tracked.
//!
//! ```text
//! fast_path ALLOCATOR bare|tracked|refusing pair|zeroed|resize TIMES
//! ```

#[allow(dead_code, reason = "no bench uses all of it")]
mod workloads;

use std::process::ExitCode;

use workloads::heaps::{PAIRS, REFUSING, prepare};
use workloads::{hot_pair, resized_pair, zeroed_pair};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [allocator, which, operation, times] = arguments.as_slice() else {
        println!("this bench is run by ci/fast-path.sh");
        return ExitCode::SUCCESS;
    };
    let pair = PAIRS.iter().find(|pair| pair.name == allocator);
    let run = match operation.as_str() {
        "pair" => hot_pair,
        "zeroed" => zeroed_pair,
        "resize" => resized_pair,
        _ => return usage(),
    };
    let (Some(pair), Ok(times)) = (pair, times.parse()) else {
        return usage();
    };
    let heap = match which.as_str() {
        "bare" => &pair.bare,
        "tracked" => &pair.tracked,
        "refusing" if pair.name == "mimalloc" => &REFUSING,
        _ => return usage(),
    };
    // The first operation decides which settings hold.
    heap.give_back(heap.take(64));
    prepare();
    run(heap, times);
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!(
        "usage: fast_path mimalloc|jemalloc|System bare|tracked|refusing pair|zeroed|resize TIMES"
    );
    ExitCode::from(2)
}

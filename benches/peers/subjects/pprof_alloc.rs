//! pprof-alloc over mimalloc: stacks and live set, one sample every 512 KiB, and its totals.

use std::io::Read;

use flate2::read::GzDecoder;
use pprof_alloc::{Allocator, PprofAlloc};
use unkai_peers::child::{Proof, serve};

#[global_allocator]
static HEAP: PprofAlloc = PprofAlloc::new()
    .with_default(Allocator::Mimalloc)
    .with_pprof_sample_rate(512 << 10)
    .with_stats();

fn main() {
    serve(proof)
}

/// The stacks in its profile. (Its `snapshot()` would say more, and ends this process with a segmentation fault.)
fn proof() -> Proof {
    let packed = pprof_alloc::generate_pprof().map_err(|error| error.to_string())?;
    let mut profile = Vec::new();
    GzDecoder::new(packed.as_slice())
        .read_to_end(&mut profile)
        .map_err(|error| error.to_string())?;
    match stacks(&profile) {
        None => Err("its profile cannot be read".to_owned()),
        Some(0) => Err("it took no stack".to_owned()),
        Some(stacks) => Ok(format!(
            "{stacks} stacks, {} allocations counted",
            pprof_alloc::allocation_stats().allocations
        )),
    }
}

/// How many fields of a protobuf `Profile` are samples. All but numbers are length-delimited there.
fn stacks(mut profile: &[u8]) -> Option<usize> {
    const SAMPLE: u64 = 2;
    const DELIMITED: u64 = 2;
    let mut stacks = 0;
    while !profile.is_empty() {
        let key = number(&mut profile)?;
        let value = number(&mut profile)?;
        if key & 7 == DELIMITED {
            profile = profile.get(value as usize..)?;
            stacks += usize::from(key >> 3 == SAMPLE);
        }
    }
    Some(stacks)
}

/// Takes a variable-length number off the front.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

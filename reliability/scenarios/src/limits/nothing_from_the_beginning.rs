//! The address space is so scarce that unkai gets no memory for its tables: then it counts, and takes no samples.

use std::hint::black_box;
use std::os::unix::process::{CommandExt, ExitStatusExt};

use unkai_core::{Cause, Config};

use crate::again;
use crate::heap::{Heap, totals_are_exact};

const MIB: u64 = 1 << 20;

/// Plays the other with less and less, until the system cannot even start it.
pub(crate) fn play(_: &'static dyn Heap) {
    let (mut with_tables, mut without, mut failed) = (0, 0, 0);
    for mib in (2..=64).rev() {
        let limit = move || {
            super::limit_address_space(Some(mib * MIB));
            Ok(())
        };
        let ended = again::play("little_address_space", 1, |command| {
            // Without memory, the standard library hangs while it prints where it panicked: in a lock of its own.
            command.env("RUST_BACKTRACE", "0");
            // SAFETY: the child calls two functions of the system's.
            unsafe { command.pre_exec(limit) }
        });
        // A static program has no loader to say so: the kernel cannot map it.
        let runs = ended.said.contains(RUNS);
        if ended.status.code() == Some(NOT_LOADED) || IS_STATIC && !runs {
            break;
        }
        if ended.status.success() {
            let refused = ended.said.contains(NO_TABLES);
            with_tables += i32::from(!refused);
            without += i32::from(refused);
        } else {
            // Where tables leave nothing to the program, or there is too little without. It ends as any program does, or as
            // the standard library or the C library ends it.
            let says = |words| ended.said.contains(words);
            let refused = says("memory allocation of")
                || says("failed to allocate an alternative stack")
                || says("out of memory");
            let aborted = ended.status.signal() == Some(libc::SIGABRT);
            assert!(refused && aborted, "{mib} MiB: {ended:?}");
            failed += 1;
        }
    }
    eprintln!(
        "{with_tables} processes with tables, {without} without, {failed} without memory of their own"
    );
    assert!(with_tables > 0 && without > 0);
}

/// What a process ends with whose libraries cannot be loaded.
const NOT_LOADED: i32 = 127;

const IS_STATIC: bool = cfg!(target_feature = "crt-static");

/// With an unlimited address space, this is a program as any other.
pub(crate) fn play_with_little(heap: &'static dyn Heap) {
    eprintln!("{RUNS}");
    let mut kept = Vec::new();
    for size in 1..2000_usize {
        kept.push(black_box(vec![size as u8; size]));
        if size.is_multiple_of(3) {
            kept.swap_remove(size / 2 % kept.len());
        }
    }
    assert!(
        kept.iter()
            .all(|block| block.iter().all(|&byte| byte == block.len() as u8))
    );
    drop(kept);
    totals_are_exact(heap, "with little address space");
    let survey = unkai_core::process::survey();
    if survey.losses.of(Cause::OwnMemoryRefused) > 0 {
        // Between the two, the first parts of tables are there, and larger ones are not to be had.
        let has_tables = !heap.snapshot().sites.is_empty();
        eprintln!("{}", if has_tables { SMALL_TABLES } else { NO_TABLES });
    } else if heap.snapshot().sampling.mode == Config::new().sample_every_block().get_sampling() {
        assert!(!heap.snapshot().sites.is_empty());
    }
}

const RUNS: &str = "it runs";
const NO_TABLES: &str = "there are no tables";
const SMALL_TABLES: &str = "tables could not grow";

//! Call stacks agree with those of the `backtrace` crate, frame by frame, and lead through libraries that are loaded late.
//!
//! Run it also in a build with frame pointers (`ci/frame-pointers.sh`): the walk is another one there, the frames the same.

use std::alloc::System;
use std::hint::black_box;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[cfg(target_os = "linux")]
#[path = "support/late_library.rs"]
mod late_library;

use unkai::{Cause, Config, Snapshot, UnkaiGlobalAlloc, UnwinderKind};

#[global_allocator]
static HEAP: UnkaiGlobalAlloc<System> =
    UnkaiGlobalAlloc::with_config(System, Config::new().sample_every_block().max_frames(256));

/// The tests look at what was sampled since they began: one at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn one_at_a_time() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A size that nothing else in this process allocates.
const TELLING: usize = 12_347;

/// Return addresses by the `backtrace` crate, from the caller of this function outwards, and a block allocated right here.
#[inline(never)]
fn stack_and_block() -> (Vec<u64>, Vec<u8>) {
    let mut frames = Vec::with_capacity(300);
    backtrace::trace(|frame| {
        frames.push(frame.ip() as u64);
        true
    });
    (frames, black_box(Vec::with_capacity(TELLING)))
}

#[inline(never)]
fn recurse(depth: usize) -> (Vec<u64>, Vec<u8>) {
    if depth == 0 {
        return stack_and_block();
    }
    let result = recurse(depth - 1);
    black_box(depth);
    result
}

/// The stack of the one live block of the telling size.
fn sampled(snapshot: &Snapshot) -> Vec<u64> {
    let mut sites = snapshot
        .sites
        .iter()
        .filter(|site| site.live.bytes == TELLING as f64);
    let site = sites
        .next()
        .expect("the telling block is a site of its own");
    assert!(sites.next().is_none());
    site.stack.clone()
}

/// Both stacks from the second return address that they share outwards.
///
/// The innermost ones differ: the two calls are at different places, and one leads through `Vec`.
fn common_part(ours: &[u64], theirs: &[u64]) -> (Vec<u64>, Vec<u64>) {
    let common = |one: &[u64], other: &[u64]| -> Vec<u64> {
        let first = one
            .iter()
            .position(|frame| other.contains(frame))
            .expect("a common frame");
        one[first..]
            .iter()
            .copied()
            .filter(|&frame| frame != 0)
            .collect()
    };
    (common(ours, theirs), common(theirs, ours))
}

fn agree(depth: usize) {
    let (theirs, block) = recurse(depth);
    let snapshot = HEAP.snapshot();
    let ours = sampled(&snapshot);
    let (ours, theirs) = common_part(&ours, &theirs);
    assert!(
        ours.len() > depth,
        "{} frames for a recursion of {depth}",
        ours.len()
    );
    if snapshot.unwinding.kind == UnwinderKind::FramePointers {
        // The C library's start-up code keeps no frame pointers, so the outermost frames may be missing.
        assert!(
            theirs.starts_with(&ours) && theirs.len() <= ours.len() + 4,
            "{ours:x?} {theirs:x?}"
        );
    } else {
        assert_eq!(ours, theirs);
    }
    drop(block);
}

#[test]
fn stacks_agree_with_the_backtrace_crate() {
    let _one = one_at_a_time();
    for depth in [0, 1, 5, 30, 100, 200] {
        agree(depth);
    }
    // On a thread of its own, and again once frame pointers may have been proven.
    std::thread::spawn(|| (0..60).for_each(|depth| agree(depth % 40)))
        .join()
        .unwrap();
}

#[test]
fn the_unwinder_is_what_the_build_allows() {
    let _one = one_at_a_time();
    (0..200).for_each(|_| drop(recurse(20)));
    let unwinding = HEAP.snapshot().unwinding;
    let tables = cfg!(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64"),
        not(unkai_portable)
    ));
    match (std::env::var("UNKAI_TEST_FRAME_POINTERS"), tables) {
        (Ok(_), true) => assert_eq!(unwinding.kind, UnwinderKind::FramePointers, "{unwinding:?}"),
        (_, true) => assert!(unwinding.modules > 1, "{unwinding:?}"),
        (_, false) => assert_eq!(unwinding.kind, UnwinderKind::Portable, "{unwinding:?}"),
    }
}

#[test]
fn every_sample_has_a_stack() {
    let _one = one_at_a_time();
    drop(recurse(10));
    let snapshot = HEAP.snapshot();
    assert_eq!(
        snapshot.losses.of(Cause::StackMissing),
        0,
        "{:?}",
        snapshot.losses
    );
}

/// Libraries that call back, compiled and loaded now: before and after unkai has read their tables, stacks lead through
/// them to their caller; and again when one is unloaded and loaded once more, or when another stands in its place.
#[test]
#[cfg(target_os = "linux")]
fn stacks_lead_through_libraries_that_are_loaded_late() {
    use late_library::{Folder, Library};

    let _one = one_at_a_time();
    let folder = Folder::new();
    // Where the program keeps frame pointers, so does the library; else its frame would be missing. On aarch64 programs keep
    // them by default, and distributions have return addresses signed.
    let options: &[&str] = if cfg!(target_arch = "aarch64") {
        &["-fno-omit-frame-pointer", "-mbranch-protection=pac-ret"]
    } else if std::env::var_os("UNKAI_TEST_FRAME_POINTERS").is_some() {
        &["-fno-omit-frame-pointer"]
    } else {
        &["-fomit-frame-pointer"]
    };
    let compile = |name, frame| folder.compile(name, frame, options);
    let (Some(small), Some(large)) = (compile("small", 16), compile("large", 4000)) else {
        println!("skipped: no C compiler");
        return;
    };

    let library = Library::load(&small);
    leads_through(&library);
    drop(HEAP.snapshot());
    leads_through(&library);

    // Once more, with what is known of it: at the same place, or at another one.
    drop(library);
    let library = Library::load(&small);
    leads_through(&library);

    // Something else where it was, with frames of another size.
    drop(library);
    let library = Library::load(&large);
    leads_through(&library);
    drop(HEAP.snapshot());
    leads_through(&library);

    // Both at once: one of them stands at a new place.
    let second = Library::load(&small);
    leads_through(&second);
    drop(HEAP.snapshot());
    leads_through(&second);
    leads_through(&library);
}

/// Allocates from within a call by `library`, and asserts that the stack leads through it to the test.
#[cfg(target_os = "linux")]
fn leads_through(library: &late_library::Library) {
    static RESULT: Mutex<Option<(Vec<u64>, Vec<u8>)>> = Mutex::new(None);
    extern "C" fn allocate() -> std::ffi::c_int {
        *RESULT.lock().unwrap() = Some(stack_and_block());
        1
    }
    library.call_back(allocate);
    let (theirs, block) = RESULT.lock().unwrap().take().unwrap();
    let snapshot = HEAP.snapshot();
    let (ours, theirs) = common_part(&sampled(&snapshot), &theirs);
    if snapshot.unwinding.kind == UnwinderKind::FramePointers {
        assert!(theirs.starts_with(&ours), "{ours:x?} {theirs:x?}");
    } else {
        assert_eq!(ours, theirs);
    }
    let within = ours.iter().position(|&frame| library.contains(frame));
    let within = within.expect("a frame of the library");
    let mut names = ours[within + 1..].iter().flat_map(|&frame| names_of(frame));
    assert!(
        names.any(|name| name.contains("stacks_lead_through_libraries")),
        "{ours:x?}"
    );
    drop(block);
}

/// The functions that a return address is in: several, if some were inlined into others.
#[cfg(target_os = "linux")]
fn names_of(return_address: u64) -> Vec<String> {
    let mut names = Vec::new();
    backtrace::resolve((return_address - 1) as *mut _, |symbol| {
        names.extend(symbol.name().map(|name| name.to_string()));
    });
    names
}

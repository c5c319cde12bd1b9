//! Call stacks agree with those of the `backtrace` crate, frame by frame, and lead through libraries that are loaded late.
//!
//! Run it also in a build with frame pointers (`ci/frame-pointers.sh`): the walk is another one there, the frames the same.

use std::alloc::System;
use std::hint::black_box;
use std::sync::{Mutex, MutexGuard, PoisonError};

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

/// A library that calls back, compiled and loaded now: before and after unkai has read its tables, a stack leads through
/// it to its caller.
#[test]
#[cfg(target_os = "linux")]
fn stacks_lead_through_a_library_that_is_loaded_late() {
    use std::ffi::{CString, c_int, c_void};
    use std::process::Command;

    let _one = one_at_a_time();
    let folder = std::env::temp_dir().join(format!("unkai-late-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (source, library) = (folder.join("late.c"), folder.join("liblate.so"));
    std::fs::write(
        &source,
        "int call_back(int (*f)(void)) { volatile int r = f(); return r + 1; }\n",
    )
    .unwrap();
    let compiled = Command::new("cc")
        .args(["-O2", "-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&source)
        .status();
    if !compiled.is_ok_and(|status| status.success()) {
        println!("skipped: no C compiler");
        return;
    }
    let path = CString::new(library.to_str().unwrap()).unwrap();
    // SAFETY: a C string, and a library without constructors.
    let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
    assert!(!handle.is_null());
    // SAFETY: an open library and a C string.
    let symbol = unsafe { libc::dlsym(handle, c"call_back".as_ptr()) };
    assert!(!symbol.is_null());
    // SAFETY: the function was compiled above with this signature.
    let call_back: unsafe extern "C" fn(extern "C" fn() -> c_int) -> c_int =
        unsafe { std::mem::transmute::<*mut c_void, _>(symbol) };

    static RESULT: Mutex<Option<(Vec<u64>, Vec<u8>)>> = Mutex::new(None);
    extern "C" fn allocate() -> c_int {
        *RESULT.lock().unwrap() = Some(stack_and_block());
        1
    }
    for _ in 0..2 {
        // SAFETY: as above.
        assert_eq!(unsafe { call_back(allocate) }, 2);
        let (theirs, block) = RESULT.lock().unwrap().take().unwrap();
        // Taking the snapshot is what reads the tables of the new library.
        let snapshot = HEAP.snapshot();
        let ours = sampled(&snapshot);
        let (ours, theirs) = common_part(&ours, &theirs);
        let test = stacks_lead_through_a_library_that_is_loaded_late as fn() as usize as u64;
        let through = ours
            .iter()
            .filter(|&&frame| theirs.contains(&frame))
            .count();
        if snapshot.unwinding.kind != UnwinderKind::FramePointers {
            assert_eq!(ours, theirs);
        }
        assert!(
            through > 3 && ours.iter().any(|&frame| frame >= test),
            "{ours:x?}"
        );
        drop(block);
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

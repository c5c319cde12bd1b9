//! What the system says of this process.

use std::ffi::c_void;
use std::fs;
use std::mem::MaybeUninit;
use std::ops::Range;

/// Bytes in physical memory.
pub(crate) fn resident_bytes() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").expect("Linux has this file");
    let pages: u64 = statm
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .expect("its second number is that of resident pages");
    // SAFETY: asks for a number.
    pages * unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as u64
}

/// Bytes in physical memory in mappings in which mimalloc has nothing: unkai's tables, stacks of threads, the program itself.
///
/// What the heap keeps for later goes up and down by many MiB; this stands still, so that less growth is seen.
pub(crate) fn resident_beside_the_heap() -> u64 {
    let maps = fs::read_to_string("/proc/self/smaps").expect("Linux has this file");
    let (mut kib, mut mapping) = (0, 0..0);
    for line in maps.lines() {
        if let Some(resident) = line.strip_prefix("Rss:") {
            let number = resident.split_whitespace().next();
            let number: u64 = number.and_then(|number| number.parse().ok()).unwrap_or(0);
            if number > 0 && !mapping.clone().step_by(MIMALLOC_SLICE).any(is_mimallocs) {
                kib += number;
            }
        } else if let Some(range) = line.split(' ').next().and_then(range) {
            mapping = range;
        }
    }
    kib << 10
}

/// What mimalloc hands out memory in.
const MIMALLOC_SLICE: usize = 64 << 10;

/// `7f0000-7f8000`.
fn range(text: &str) -> Option<Range<usize>> {
    let (start, end) = text.split_once('-')?;
    let number = |digits| usize::from_str_radix(digits, 16).ok();
    Some(number(start)?..number(end)?)
}

fn is_mimallocs(address: usize) -> bool {
    unsafe extern "C" {
        fn mi_is_in_heap_region(address: *const c_void) -> bool;
    }
    // SAFETY: takes any address.
    unsafe { mi_is_in_heap_region(address as *const c_void) }
}

/// Gives back to the system what mimalloc keeps on this thread for later, so that it is not taken for growth.
pub(crate) fn give_back() {
    unsafe extern "C" {
        fn mi_collect(force: bool);
    }
    // SAFETY: mimalloc is linked, and may be asked for this at any time.
    unsafe { mi_collect(true) };
}

/// Threads that exist.
pub(crate) fn threads() -> u64 {
    entries("/proc/self/task")
}

/// Descriptors that are open, without the one that is opened to find out.
pub(crate) fn descriptors() -> u64 {
    entries("/proc/self/fd") - 1
}

/// How often this thread left its core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Switches {
    /// Because another one was to run, while it had work to do.
    pub(crate) preempted: i64,
    /// Because it waited: for a lock, or in the kernel for memory that others change.
    pub(crate) waited: i64,
}

/// How often this thread left its core so far.
pub(crate) fn switches() -> Switches {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: it is large enough, and is filled or left as zeros, which it may be.
    unsafe { libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) };
    // SAFETY: see above.
    let usage = unsafe { usage.assume_init() };
    Switches {
        preempted: usage.ru_nivcsw,
        waited: usage.ru_nvcsw,
    }
}

/// The processor's name, and how many cores this process has.
pub(crate) fn description() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown processor", |name| {
            name.trim_start_matches([' ', '\t', ':'])
        });
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{name}, {cores} cores")
}

/// The kernel's measure of how many threads want to run, over the last minute.
pub(crate) fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = text.split_whitespace().next();
    first
        .and_then(|number| number.parse().ok())
        .unwrap_or(f64::NAN)
}

fn entries(folder: &str) -> u64 {
    fs::read_dir(folder).expect("Linux has this folder").count() as u64
}

//! unkai as the allocator of a program that knows nothing of it. The program gains one line, `extern crate unkai_programs;`,
//! and this crate does the rest: before `main` it reads what to do from the environment, and at exit it leaves a report.
//!
//! ```text
//!   program ─▶ Watched ─▶ Outer (counts every request, if asked to) ─▶ UnkaiGlobalAlloc ─▶ the program's own choice
//! ```
//!
//! | variable | |
//! |---|---|
//! | `UNKAI_PROGRAMS_INTERVAL` | one sample in so many bytes; the default if it is not set |
//! | `UNKAI_PROGRAMS_REPORT` | count independently, and write a report to this file at exit, or a verdict alone into this folder; if it is not set, neither: for the clock |

use std::alloc::{GlobalAlloc, Layout};
use std::ffi::{CStr, OsStr};
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use unkai_global::{Config, Totals, UnkaiGlobalAlloc};
use unkai_report::{Report, Value, text};

// The independent count of the whole-program tests.
#[path = "../../../tests/support/outer.rs"]
mod outer;
use outer::{Count, Outer};

#[cfg(feature = "mimalloc")]
type Inner = mimalloc::MiMalloc;
#[cfg(feature = "mimalloc")]
const INNER: Inner = mimalloc::MiMalloc;
#[cfg(not(feature = "mimalloc"))]
type Inner = std::alloc::System;
#[cfg(not(feature = "mimalloc"))]
const INNER: Inner = std::alloc::System;

#[global_allocator]
static GLOBAL: Watched = Watched;

static HEAP: Outer<UnkaiGlobalAlloc<Inner>> =
    Outer::new(UnkaiGlobalAlloc::with_config(INNER, Config::new()));

/// Whether requests are counted independently. Set before `main`, while there is one thread.
static COUNTING: AtomicBool = AtomicBool::new(false);

/// What unkai had counted when the independent count began.
static BEFORE: OnceLock<[Count; 2]> = OnceLock::new();

/// The heap, with the independent count or, where time is measured, without.
struct Watched;

// SAFETY: hands every call over as it came, to one allocator: the count does not change what it gives.
unsafe impl GlobalAlloc for Watched {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if COUNTING.load(Relaxed) {
            // SAFETY: passed on.
            unsafe { HEAP.alloc(layout) }
        } else {
            // SAFETY: passed on.
            unsafe { HEAP.inner.alloc(layout) }
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if COUNTING.load(Relaxed) {
            // SAFETY: passed on.
            unsafe { HEAP.alloc_zeroed(layout) }
        } else {
            // SAFETY: passed on.
            unsafe { HEAP.inner.alloc_zeroed(layout) }
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if COUNTING.load(Relaxed) {
            // SAFETY: passed on.
            unsafe { HEAP.dealloc(block, layout) }
        } else {
            // SAFETY: passed on.
            unsafe { HEAP.inner.dealloc(block, layout) }
        }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if COUNTING.load(Relaxed) {
            // SAFETY: passed on.
            unsafe { HEAP.realloc(block, layout, new_size) }
        } else {
            // SAFETY: passed on.
            unsafe { HEAP.inner.realloc(block, layout, new_size) }
        }
    }
}

#[used]
// SAFETY: the section holds pointers to functions of this type, called once each before `main`.
#[unsafe(link_section = ".init_array")]
static AT_START: extern "C" fn() = at_start;

extern "C" fn at_start() {
    if let Some(interval) = variable(c"UNKAI_PROGRAMS_INTERVAL") {
        match interval.to_str().map(str::parse) {
            Some(Ok(interval)) => HEAP.inner.set_sampling_interval(interval),
            _ => end("UNKAI_PROGRAMS_INTERVAL is not a number of bytes"),
        }
    }
    if variable(c"UNKAI_PROGRAMS_REPORT").is_some() {
        // SAFETY: a function that stays and does not unwind.
        if unsafe { libc::atexit(at_exit) } != 0 {
            end("no room for what is to be done at exit");
        }
        // Nothing is allocated between these two.
        let before = told(HEAP.inner.usage());
        COUNTING.store(true, Relaxed);
        BEFORE.get_or_init(|| before);
    }
}

extern "C" fn at_exit() {
    let Some(path) = variable(c"UNKAI_PROGRAMS_REPORT") else {
        return;
    };
    let written = report(Path::new(path));
    if written.is_err() {
        end("the report could not be written");
    }
}

/// The verdict on the totals in one line, then the report. Into a folder, for programs that are started many times: the verdict
/// alone, in a file named for the process.
fn report(path: &Path) -> io::Result<()> {
    let verdict = Verdict::reach();
    HEAP.aside(|unkai| {
        if path.is_dir() {
            let file = path.join(std::process::id().to_string());
            return writeln!(File::create_new(file)?, "{verdict}");
        }
        let report = Report::new(unkai.snapshot());
        let mut file = File::create(path)?;
        writeln!(file, "{verdict}")?;
        let options = text::Options::new().top_sites(5).width(200);
        text::write_top(&report, Value::AllocatedBytes, &options, &mut file)
    })
}

/// What unkai and the independent count say, allocated and freed.
struct Verdict {
    told: [Count; 2],
    counted: [Count; 2],
    nested: u64,
}

impl Verdict {
    /// Threads may still be ending: it looks again. Allocates nothing, for this thread has ended as far as unkai can see, and what
    /// it allocates is in no site: the report would say so.
    fn reach() -> Self {
        let [allocated, freed] = BEFORE.get().copied().unwrap_or_default();
        let since = |now: Count, before: Count| (now.0 - before.0, now.1 - before.1);
        let start = Instant::now();
        loop {
            let now = told(HEAP.inner.usage());
            let verdict = Self {
                told: [since(now[0], allocated), since(now[1], freed)],
                counted: [HEAP.allocated(), HEAP.freed()],
                nested: HEAP.nested(),
            };
            if verdict.is_exact() || start.elapsed() > Duration::from_secs(2) {
                return verdict;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// To the byte.
    fn is_exact(&self) -> bool {
        self.told == self.counted && self.nested == 0
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [(bytes, blocks), (freed, _)] = self.counted;
        if self.is_exact() {
            write!(
                f,
                "totals exact: {bytes} bytes in {blocks} blocks, {freed} bytes freed"
            )
        } else {
            let Self {
                told,
                counted,
                nested,
            } = self;
            write!(f, "totals WRONG: {told:?} of {counted:?}, {nested} nested")
        }
    }
}

fn told(usage: Totals) -> [Count; 2] {
    [
        (usage.allocated.bytes, usage.allocated.blocks),
        (usage.freed.bytes, usage.freed.blocks),
    ]
}

/// A variable of the environment, without an allocation.
fn variable(name: &CStr) -> Option<&'static OsStr> {
    // SAFETY: a C string; nothing changes the environment before `main` and, of these variables, afterwards.
    let value = unsafe { libc::getenv(name.as_ptr()) };
    if value.is_null() {
        return None;
    }
    // SAFETY: a C string of the environment, which stays as it is.
    let value = unsafe { CStr::from_ptr(value) };
    Some(OsStr::from_bytes(value.to_bytes()))
}

/// A proof that cannot be made must not look like one.
fn end(what: &str) -> ! {
    // The process ends in any case.
    let _ = writeln!(io::stderr(), "unkai-programs: {what}");
    std::process::abort()
}

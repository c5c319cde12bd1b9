//! Which part of a call stack is worth showing.
//!
//! ```text
//!  innermost                                                                             outermost
//!  unkai, GlobalAlloc, __rust_alloc, RawVec │ Vec::push, my_app::add, my_app::main │ call_once, lang_start, _start
//!  ───────────── cut ────────────────────── │ ── via ──  ── site ──                │ ──────────── cut ────────────
//! ```
//!
//! [`trim`] finds the part in the middle, [`caller`] the function in it that the allocation is charged to by name.

use std::ops::Range;

use crate::origin::Origin;
use crate::report::Frame;

/// The frames between the allocator and the start of the thread. Never empty unless `frames` is.
pub(crate) fn trim(frames: &[Frame<'_>]) -> Range<usize> {
    let inner = end_of_allocator(frames);
    let outer = start_of_runtime(frames, inner);
    if inner < outer {
        inner..outer
    } else {
        0..frames.len()
    }
}

/// The function that allocates: the innermost one of the program in a trimmed stack, and the function of the standard
/// library that it called for that. In a stack of library functions alone, the outermost one.
///
/// Both are indices in `frames`. `None` for a stack without frames.
pub(crate) fn caller(frames: &[Frame<'_>]) -> Option<(usize, Option<usize>)> {
    let of_program = |frame: &Frame<'_>| origin(frame).is_none_or(Origin::is_program);
    let at = frames
        .iter()
        .position(of_program)
        .or(frames.len().checked_sub(1))?;
    Some((at, at.checked_sub(1)))
}

/// Whether `frame` belongs in a call tree of the program: its own functions, and those without a name.
pub(crate) fn is_program(frame: &Frame<'_>) -> bool {
    origin(frame).is_none_or(Origin::is_program)
}

/// The number of innermost frames that belong to the allocator.
fn end_of_allocator(frames: &[Frame<'_>]) -> usize {
    let entry = |frame: &Frame<'_>| origin(frame) == Some(Origin::AllocatorEntry);
    let mut end = frames.iter().position(entry).map_or(0, |entry| entry + 1);
    for (index, frame) in frames.iter().enumerate().skip(end) {
        match origin(frame) {
            Some(Origin::Profiler | Origin::AllocatorEntry | Origin::Plumbing) => end = index + 1,
            // May still stand between two of those.
            Some(Origin::Glue) | None if index - end < MAX_GLUE => {}
            // An allocator of the program around unkai, where line tables leave its functions without the trait's name: what
            // stands between unkai and the library's plumbing has been called by that, to allocate.
            Some(Origin::Program) if index - end < MAX_GLUE && is_profiler(frames, end) => {}
            _ => break,
        }
    }
    end
}

/// Whether unkai's own frames end at `end`.
fn is_profiler(frames: &[Frame<'_>], end: usize) -> bool {
    end.checked_sub(1)
        .is_some_and(|last| origin(&frames[last]) == Some(Origin::Profiler))
}

/// The index of the innermost frame that only starts the thread; `inner` is where the program's frames begin.
fn start_of_runtime(frames: &[Frame<'_>], inner: usize) -> usize {
    let mark = |frame: &Frame<'_>| origin(frame) == Some(Origin::Start);
    let mut start = match frames.iter().position(mark) {
        Some(mark) => mark,
        None => start_without_mark(frames),
    };
    while start > inner && origin(&frames[start - 1]) == Some(Origin::Glue) {
        start -= 1;
    }
    start
}

/// For threads that the standard library did not start.
fn start_without_mark(frames: &[Frame<'_>]) -> usize {
    let mut start = frames.len();
    for (index, frame) in frames.iter().enumerate().rev() {
        match origin(frame) {
            Some(Origin::Runtime) => start = index,
            // Frames of a stripped C library, or calls of closures, between those of the runtime.
            Some(Origin::Glue) | None if start - index <= MAX_GLUE => {}
            _ => break,
        }
    }
    start
}

fn origin(frame: &Frame<'_>) -> Option<Origin> {
    frame.function.map(|function| function.origin())
}

/// So many frames of no clear origin may stand between two of a clear one.
const MAX_GLUE: usize = 4;

#[cfg(test)]
mod tests {
    use unkai_core::Site;

    use super::*;
    use crate::report::call_stack;
    use crate::symbols::{SourceFunction, Symbols};

    /// Trims a stack of these names (`?` has none) and returns the names that remain, and the site with its `via`.
    fn trimmed(names: &[&str]) -> (Vec<String>, String, Option<String>) {
        let mut symbols = Symbols::new();
        let addresses: Vec<u64> = (1..=names.len() as u64).collect();
        for (address, name) in addresses
            .iter()
            .zip(names)
            .filter(|(_, name)| **name != "?")
        {
            let name = (*name).to_owned();
            symbols.insert(
                *address,
                &[SourceFunction {
                    name,
                    ..Default::default()
                }],
            );
        }
        let frames = call_stack(&Site::new(2, addresses), &symbols);
        let kept = &frames[trim(&frames)];
        let (site, via) = caller(kept).expect("no test stack is empty");
        let name = |index: usize| kept[index].name().into_owned();
        (
            kept.iter().map(|frame| frame.name().into_owned()).collect(),
            name(site),
            via.map(name),
        )
    }

    #[test]
    fn a_stack_of_the_main_thread_starts_at_the_collection_and_ends_at_main() {
        let (kept, site, via) = trimmed(&[
            "backtrace::backtrace::libunwind::trace",
            "backtrace::backtrace::trace",
            "unkai_core::tracker::Tracker::on_sample",
            "core::ops::function::FnOnce::call_once",
            "<unkai_global::UnkaiGlobalAlloc<A> as core::alloc::global::GlobalAlloc>::alloc",
            "__rustc::__rust_alloc",
            "alloc::alloc::alloc",
            "alloc::alloc::Global::alloc_impl_runtime",
            "<alloc::alloc::Global as core::alloc::Allocator>::allocate",
            "alloc::raw_vec::RawVecInner<A>::finish_grow",
            "alloc::raw_vec::RawVec<T,A>::grow_one",
            "alloc::vec::Vec<T,A>::push",
            "my_app::index::add",
            "my_app::main",
            "core::ops::function::FnOnce::call_once",
            "std::sys::backtrace::__rust_begin_short_backtrace",
            "std::rt::lang_start::{{closure}}",
            "std::rt::lang_start",
            "main",
            "?",
            "__libc_start_main_impl",
            "_start",
        ]);
        assert_eq!(
            kept,
            [
                "alloc::vec::Vec<T,A>::push",
                "my_app::index::add",
                "my_app::main"
            ]
        );
        assert_eq!(site, "my_app::index::add");
        assert_eq!(via.as_deref(), Some("alloc::vec::Vec<T,A>::push"));
    }

    #[test]
    fn a_stack_of_a_thread_ends_at_its_closure() {
        let (kept, site, via) = trimmed(&[
            "alloc::string::String::push_str",
            "<my_app::main::{closure#0} as my_app::Job>::run",
            "my_app::main::{closure#0}",
            "std::sys::backtrace::__rust_begin_short_backtrace::<my_app::main::{closure#0}, ()>",
            "std::thread::lifecycle::spawn_unchecked::<my_app::main::{closure#0}, ()>::{closure#1}",
            "__rust_try",
            "<std::sys::thread::unix::Thread>::new::thread_start",
            "start_thread",
            "clone3",
            "?",
        ]);
        assert_eq!(
            kept.last().map(String::as_str),
            Some("my_app::main::{closure#0}")
        );
        assert_eq!(site, "<my_app::main::{closure#0} as my_app::Job>::run");
        assert_eq!(via.as_deref(), Some("alloc::string::String::push_str"));
    }

    #[test]
    fn a_thread_of_the_c_library_is_trimmed_without_the_mark() {
        let (kept, ..) = trimmed(&["my_app::callback", "start_thread", "?", "clone"]);
        assert_eq!(kept, ["my_app::callback"]);
        // A function without name next to the program's own may be the program's.
        let (kept, ..) = trimmed(&["my_app::callback", "?", "start_thread"]);
        assert_eq!(kept, ["my_app::callback", "0x2"]);
    }

    #[test]
    fn what_unkai_allocates_for_itself_is_named_so() {
        let (_, site, via) = trimmed(&[
            "__rust_alloc",
            "alloc::vec::Vec<T,A>::push",
            "unkai_core::probe::tables::at_start",
            "call_init",
            "__libc_start_main_impl",
            "_start",
        ]);
        assert_eq!(site, "unkai_core::probe::tables::at_start");
        assert_eq!(via.as_deref(), Some("alloc::vec::Vec<T,A>::push"));
    }

    #[test]
    fn frames_without_name_inside_the_program_stay() {
        let (kept, site, via) = trimmed(&["__rust_alloc", "?", "my_app::main", "?", "?"]);
        assert_eq!(kept, ["0x2", "my_app::main", "0x4", "0x5"]);
        assert_eq!((site.as_str(), via), ("0x2", None));
    }

    #[test]
    fn an_allocator_of_the_program_around_unkai_is_cut_too() {
        let (kept, ..) = trimmed(&[
            "unkai_global::sample",
            "my_app::my_allocator::count",
            "my_app::my_allocator::alloc",
            "__rust_alloc",
            "my_app::work",
        ]);
        assert_eq!(kept, ["my_app::work"]);
    }

    /// As `__rust_alloc` leaves no frame where it ends in a jump.
    #[test]
    fn an_allocator_of_the_program_around_unkai_is_cut_by_its_own_entry() {
        let (kept, ..) = trimmed(&[
            "<unkai_global::UnkaiGlobalAlloc<A> as core::alloc::global::GlobalAlloc>::alloc",
            "my_app::counting::{closure#0}",
            "my_app::counting::inside",
            "<my_app::Counting as core::alloc::global::GlobalAlloc>::alloc",
            "my_app::work",
            "my_app::caller",
            "my_app::main",
        ]);
        assert_eq!(kept, ["my_app::work", "my_app::caller", "my_app::main"]);
    }

    /// As in builds with line tables only: the names are those of files, and say nothing of traits.
    #[test]
    fn an_allocator_of_the_program_around_unkai_is_cut_without_its_traits_name() {
        let (kept, ..) = trimmed(&[
            "unkai_global::alloc::alloc",
            "my_app::counting::{closure#0}",
            "my_app::counting::inside",
            "my_app::counting::alloc",
            "alloc::alloc::alloc_impl_runtime",
            "alloc::raw_vec::finish_grow",
            "alloc::vec::push",
            "my_app::work",
            "my_app::main",
        ]);
        assert_eq!(kept, ["alloc::vec::push", "my_app::work", "my_app::main"]);
        // A hash that allocates is called by a table, but it is not unkai that it stands next to.
        let (kept, ..) = trimmed(&[
            "unkai_global::alloc::alloc",
            "alloc::alloc::alloc",
            "alloc::string::clone",
            "my_app::hash",
            "hashbrown::raw::reserve_rehash",
            "my_app::main",
        ]);
        assert_eq!(kept[0], "alloc::string::clone");
        // Who asks unkai without the library is the program.
        let (kept, ..) = trimmed(&[
            "unkai_global::alloc::alloc",
            "my_app::arena",
            "my_app::main",
        ]);
        assert_eq!(kept, ["my_app::arena", "my_app::main"]);
    }

    #[test]
    fn library_functions_in_the_middle_of_a_stack_stay() {
        let stack = [
            "my_app::main::{{closure}}",
            "core::ops::function::FnOnce::call_once",
            "std::panic::catch_unwind",
            "my_app::guarded",
            "my_app::main",
        ];
        assert_eq!(trimmed(&stack).0, stack);
    }

    #[test]
    fn a_stack_is_never_trimmed_to_nothing() {
        let stack = [
            "unkai_core::tracker::on_sample",
            "__rust_alloc",
            "std::rt::init",
            "main",
        ];
        assert_eq!(trimmed(&stack).0, stack);
        let (kept, site, via) = trimmed(&[
            "__rust_alloc",
            "alloc::vec::Vec<T,A>::push",
            "std::io::cleanup",
        ]);
        assert_eq!(kept.len(), 2);
        assert_eq!(site, "std::io::cleanup");
        assert_eq!(via.as_deref(), Some("alloc::vec::Vec<T,A>::push"));
        assert_eq!(trim(&[]), 0..0);
        assert_eq!(caller(&[]), None);
    }
}
